package repotest

import (
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// probes are values of every parameter: those that a stack takes, and those that CloudFormation
// must refuse before anything is deployed. Values that only the functions could refuse would deploy
// functions that do not start.
var probes = map[string]struct{ good, bad []string }{
	"WorkflowIds": {
		good: []string{"*", probeUUID, strings.ToUpper(probeUUID), probeUUID + "," + probeUUID, probeUUID + " , " + probeUUID},
		bad:  []string{"", "EDIT-ME", "**", "*," + probeUUID, probeUUID + ",", "," + probeUUID, probeUUID[1:], probeUUID + ";" + probeUUID, " " + probeUUID, probeUUID + "\n"},
	},
	"BiometricWorkflowIds": {
		good: []string{"", probeUUID, probeUUID + "," + probeUUID},
		bad:  []string{"*", "EDIT-ME", probeUUID + ",,", probeUUID + " " + probeUUID},
	},
	"ExistingSecretArn":        {good: []string{"", probeSecret, secretNamed("a/b_c+d=e.f@g-h")}, bad: probeNoSecrets},
	"ExistingWebhookSecretArn": {good: []string{"", probeSecret, secretNamed("a/b_c+d=e.f@g-h")}, bad: probeNoSecrets},
	"SecretKmsKeyArn":          {good: []string{"", probeKey}, bad: []string{"alias/didit", strings.Replace(probeKey, ":key/", ":alias/", 1), probeKey + "," + probeKey, "*"}},
	"WebhookSecretKmsKeyArn":   {good: []string{"", probeKey}, bad: []string{"alias/didit", strings.Replace(probeKey, ":key/", ":alias/", 1), probeKey + "," + probeKey, "*"}},
	"TaskKmsKeyArns":           {good: []string{"", probeKey, probeKey + "," + probeKey}, bad: []string{"*", probeKey + ",", probeKey + ", " + probeKey, "alias/tasks"}},
	"DiditApiVersion":          {good: []string{"", "v2", "v3"}, bad: []string{"v1", "V2", "2", "v2,v3", " v2"}},
	"DiditAuthUrl":             {good: probeOrigins, bad: probeNoOrigins},
	"DiditApiUrl":              {good: probeOrigins, bad: probeNoOrigins},
	"WebhookTolerance":         {good: probeDurations, bad: probeNoDurations},
	"ReconcileAfter":           {good: probeDurations, bad: probeNoDurations},
	"ReadsPerMinute": {
		good: []string{"", "2", "8", "10", "50", "98", "100", "300", "598", "600"},
		bad:  []string{"0", "1", "3", "51", "601", "602", "610", "1000", "02", "-2", "5e1", "50 ", "fifty"},
	},
	"Reverify": {good: []string{"yes", "no"}, bad: []string{"", "true", "Yes"}},
	"SessionsPerDay": {
		good: []string{"", "0", "1", "9", "10", "42", "99", "100"},
		bad:  []string{"-1", "00", "01", "101", "110", "200", "1000", "1e1", "1.5", " 10", "ten"},
	},
	"RetentionDays": {
		good: []string{"", "2", "9", "10", "365", "1095", "3599", "3650"},
		bad:  []string{"0", "1", "-1", "02", "3651", "3700", "4000", "9999", "10000", "1e3", "30d", "2.5", " 30"},
	},
	"CallerAuth": {good: []string{"jwt", "iam"}, bad: []string{"", "JWT", "none", "jwt,iam"}},
	"JwtIssuer": {
		good: []string{"https://issuer.example.com/", "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Example"},
		bad:  []string{"", "EDIT-ME", "http://issuer.example.com", "https://issuer.example.com/?a", "https://", "https://a b"},
	},
	"JwtAudience": {
		good: []string{"app", "web,app", "https://api.example.com", "123-abc.apps.example.com", "EDIT-ME-TOO"},
		bad:  []string{"", "EDIT-ME", "web, app", ",", "web,", "a b", "web\n"},
	},
	"PrincipalClaim": {good: []string{"", "sub", "custom:id", "https://example.com/id"}, bad: []string{"sub,email", "the sub", "sub\n", "süb"}},
	"UserFields": {
		good: []string{"", "callback", "callback,contact_details.email", "language , metadata", "no_such_field"},
		bad:  []string{"*", "CALLBACK", "callback,", "callback;language", "callback language"},
	},
	"AllowedCallbacks": {
		good: []string{"", "myapp://", "https://app.example.com", "https://app.example.com/verified", "https://app.example.com:8443/a/b/", "com.example.app://callback",
			"myapp:///done", "https://app.example.com/verified, myapp://", "https://app.example.com/.well-known/x", "https://xn--mbile-kva.example.com/"},
		bad: []string{"http://localhost:5173/callback", "http://app.example.com/", "javascript://x", "data://x", "file:///etc", "ws://x", "intent://x", "view-source://x",
			"mailto://x", "tel://", "ms-msdt://x", "search-ms://x", "jar://x", "feed://x", "shell://", "coap+tcp://x", "z39.50://x", "c://x", "myapp://,market://x",
			"myapp://,http://localhost/", "http://localhost/,myapp://", "myapp:// , javascript://x", "https://", "https:///x", "https://,myapp://", "https://app.example.com/?x", "https://app.example.com/#x",
			"https://user@app.example.com/", "https://*.example.com/", "https://app.example.com:0/", "https://app.example.com:65536/", "https://app.example.com:/", "https://app.example.com:port/",
			"https://app.example.com/a/../b", "https://app.example.com//..", "https://app.example.com/%2e", "https://app%2e.example.com/", "https://mobİle.example.com/", `https://app.example.com\x`,
			"app.example.com", "myapp", "myapp:", "myapp://,", "*", "HTTP://app.example.com/", "JavaScript://x", "https://[::1", "1app://"},
	},
	"ExtraFields": {
		good: []string{"", "newest", "newest,other_1", "newest , other_1", "metadata_2", "_x", "callbacks", strings.Repeat("x", 64)},
		bad: []string{"metadata", "vendor_data", "workflow_id", "callback", "callback_method", "language", "portrait_image", "sandbox_scenario", "contact_details", "expected_details", "include_url",
			"newest,metadata", "metadata,newest", "newest, metadata ,other", "1a", "a.b", "a b", "é", "*", "newest,", strings.Repeat("x", 65), "newest," + strings.Repeat("x", 65)},
	},
	"AllowedOrigins": {
		good: []string{"", "*", "https://app.example.com", "https://app.example.com,http://localhost:5173", "https://app.example.com:8443", "https://a:80,http://b:443,https://c:4430",
			"https://xn--mbile-kva.example.com", "http://127.0.0.1:8080", "http://[::1]:5173", "https://app-1.my_team.example.com:65535"},
		bad: []string{"app.example.com", "https://app.example.com/", "https://a, https://b", "*,https://a", "https://a,", "https://App.Example.com", "HTTPS://app.example.com",
			"https://app.example.com:443", "http://app.example.com:80", "https://a:443,https://b", "https://a,http://b:80", "https://*.example.com", "https://*", `https://app.example.com\`,
			"https://app.example.com:", "https://app.example.com:0", "https://app.example.com:05173", "https://app.example.com:65536", "https://.example.com", "https://a..b", "https://",
			"https://möbile.example.com", "https://user@app.example.com", "https://app.example.com?x", "ftp://app.example.com", "http://[::1", "null"},
	},
	"ThrottleRate":        {good: []string{"1", "4", "100"}, bad: []string{"0", "101", "-1", "", "four"}},
	"ThrottleBurst":       {good: []string{"1", "20", "99", "100", "200"}, bad: []string{"0", "201", "210", "1000", "-1", "", "four", "1.5", "1e1", "01", "20 "}},
	"MemorySize":          {good: []string{"128", "256", "1769"}, bad: []string{"64", "300", "10240", ""}},
	"ReservedConcurrency": {good: []string{"0", "10", "100"}, bad: []string{"-1", "1", "00", "0.5", ""}},
	"AlarmTopicArn":       {good: []string{"", probeTopic}, bad: []string{"alarms", "ops@example.com", probeKey}},
	"Rollout":             {good: []string{"no", "canary", "linear"}, bad: []string{"", "yes", "Canary10Percent5Minutes"}},
	"PermissionsBoundaryArn": {good: []string{"", "arn:aws:iam::123456789012:policy/boundary", "arn:aws:iam::123456789012:policy/teams/boundary", "arn:aws:iam::aws:policy/PowerUserAccess"},
		bad: []string{"boundary", "arn:aws:iam::123456789012:role/boundary", "arn:aws:iam::123456789012:policy/", probeTopic}},
	"ExistingTableName":  {good: []string{"", "didit-sessions-SessionsTable-1ABC", "a.b_c-d", strings.Repeat("x", 255)}, bad: []string{"ab", "a b", "arn:aws:dynamodb:eu-west-1:123456789012:table/x", strings.Repeat("x", 256)}},
	"DomainName":         {good: []string{""}, bad: []string{"idv", "IDV.example.com", "https://idv.example.com", "idv.example.com/", "*.example.com", "-a.example.com", "idv.example.com"}},
	"CertificateArn":     {good: []string{""}, bad: []string{"cert", probeKey, "arn:aws:acm:eu-west-1:123456789012:certificate/", "arn:aws:acm:eu-west-1:123456789012:certificate/1"}},
	"AlarmEmail":         {good: []string{"", "ops@example.com", "a.b+c@mail.example.co.uk"}, bad: []string{"ops", "ops@example", "a@b.c,d@e.f", "a b@c.d", "EDIT-ME", probeTopic}},
	"DeployDashboard":    {good: []string{"yes", "no"}, bad: []string{"", "true", "Yes"}},
	"LogRetentionDays":   {good: []string{"1", "30", "1827"}, bad: []string{"0", "2", "31", ""}},
	"DeployStateMachine": {good: []string{"yes", "no"}, bad: []string{"", "true", "Yes"}},
	"DeployEraseUser":    {good: []string{"yes", "no"}, bad: []string{"", "true", "Yes"}},
	"DeployGetDecision":  {good: []string{"yes", "no"}, bad: []string{"", "true", "Yes"}},
}

const (
	probeUUID   = "11111111-2222-3333-4444-5555aaaabbbb"
	probeSecret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:didit/api-AbCdEf"
	probeKey    = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
	probeTopic  = "arn:aws:sns:eu-west-1:123456789012:alarms"
)

var (
	probeOrigins   = []string{"", "https://api.example.com", "https://api.example.com/", "https://api.example.com:8443", "https://localhost"}
	probeNoOrigins = []string{"http://api.example.com", "http://localhost:8080", "api.example.com", "https://", "https://:443", "https://api.example.com:port", "https://api.example.com:",
		"https://api.example.com:99999", "https://api.example.com/v2", "https://user@api.example.com", "https://api.example.com?x", "https://api.example.com#x", "https://[::1", "https://a%zz", "https://a b", "https://a\\b"}
	probeNoSecrets   = []string{"didit", strings.TrimSuffix(probeSecret, "-AbCdEf"), probeTopic, secretNamed("*"), secretNamed("didit*"), secretNamed("did?t"), secretNamed("a b"), secretNamed("a:b"), secretNamed("")}
	probeDurations   = []string{"", "1m", "15m", "59m", "90m", "1440m", "1h", "24h"}
	probeNoDurations = []string{"0m", "0h", "30s", "60s", "1s", "1441m", "25h", "15", "1h30m", "1.5h", "-15m", "015m", " 15m", "15 m", "15M", "1d", "99999h"}
)

func secretNamed(name string) string {
	return "arn:aws:secretsmanager:eu-west-1:123456789012:secret:" + name + "-AbCdEf"
}

// required is the least environment in which every function starts.
var required = map[string]string{
	"DIDIT_SECRET_ID": "didit", "DIDIT_WEBHOOK_SECRET_ID": "hook", "WORKFLOW_IDS": probeUUID, "TABLE_NAME": "sessions", "EVENT_BUS_NAME": "sessions",
}

// stack is a set of parameters that deploys, but for the ones of a probe.
var stack = map[string]string{"WorkflowIds": probeUUID, "CallerAuth": "jwt", "JwtIssuer": "https://issuer.example.com/", "JwtAudience": "app"}

// Ensure that the template takes what it should, and no value with which a function does not start.
func TestTemplateParameters(t *testing.T) {
	t.Parallel()
	quiet()
	tm := parseTemplate(t)
	for name := range tm.parameters {
		p, ok := probes[name]
		if !ok || len(p.good) == 0 || len(p.bad) == 0 {
			t.Errorf("%s: no good and bad values of it are tried", name)
		}
		variables := tm.variables(t, name)
		for _, value := range p.good {
			if why := tm.refuses(t, name, value); why != "" {
				t.Errorf("%s=%q is refused: %s", name, value, why)
			}
			for _, err := range start(variables, value) {
				t.Errorf("%s=%q: %v", name, value, err)
			}
		}
		for _, value := range p.bad {
			if tm.refuses(t, name, value) == "" {
				t.Errorf("%s=%q is taken", name, value)
			}
		}
	}
	for name := range probes {
		if tm.parameters[name] == nil {
			t.Errorf("there are values of %s, which is no parameter", name)
		}
	}
}

// Ensure the same for values near the ones of the table: a pattern that lets one through which a
// function refuses is found without anyone thinking of the value.
func TestTemplateParameters_near(t *testing.T) {
	t.Parallel()
	quiet()
	tm := parseTemplate(t)
	names := slices.Sorted(maps.Keys(tm.parameters))
	for i, name := range names {
		variables := tm.variables(t, name)
		if len(variables) == 0 {
			continue
		}
		random := rand.New(rand.NewPCG(1, uint64(i)))
		values := slices.Concat(probes[name].good, probes[name].bad)
		for range 1000 {
			value := mutate(random, values[random.IntN(len(values))], values[random.IntN(len(values))])
			if tm.refuses(t, name, value) != "" {
				continue
			}
			for _, err := range start(variables, value) {
				t.Errorf("%s=%q is taken, but %v", name, value, err)
			}
		}
	}
}

// quiet drops the log: a name in USER_FIELDS that is no field is only logged, here thousands of
// times.
var quiet = sync.OnceFunc(func() { slog.SetDefault(slog.New(slog.DiscardHandler)) })

// mutate changes a value in one or two places.
func mutate(random *rand.Rand, value, other string) string {
	for range 1 + random.IntN(2) {
		at := random.IntN(len(value) + 1)
		tail := value[at:]
		switch random.IntN(5) {
		case 0:
			if tail != "" {
				tail = tail[1:]
			}
		case 1:
			tail = other + tail
		case 2:
			tail = "," + other
		default:
			const odd = "0129azAZ_-.,:;/?#@%&*+~ \\[]{}()\"'!$=|^`<>\t\n\x00é"
			from := random.IntN(len(odd) - 1)
			tail = odd[from:from+1] + tail
		}
		value = value[:at] + tail
	}
	return value
}

// variables returns the variables that a parameter is the value of, by function.
func (tm *template) variables(t *testing.T, parameter string) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for _, directory := range functions(t) {
		_, properties := tm.function(t, directory)
		variables, _ := at(properties, "Environment|Variables").(object)
		for name, value := range variables {
			if at(value, "Ref") == parameter || slices.ContainsFunc(many(at(value, "Fn::If")), func(v any) bool { return at(v, "Ref") == parameter }) {
				found[directory] = append(found[directory], name)
			}
		}
	}
	return found
}

// start reads the configuration of the functions whose variables are set to the value.
func start(variables map[string][]string, value string) (errs []error) {
	for directory, names := range variables {
		err := loaders[directory](func(name string) string {
			// An empty parameter of a secret makes the stack's own secret the value.
			if slices.Contains(names, name) && (value != "" || required[name] == "") {
				return value
			}
			return required[name]
		})
		if err != nil {
			errs = append(errs, fmt.Errorf("%s does not start: %w", directory, err))
		}
	}
	return errs
}

// refuses says why CloudFormation refuses a stack with that parameter; "" where it does not.
func (tm *template) refuses(t *testing.T, name, value string) string {
	t.Helper()
	parameter := tm.parameters[name].(object)
	if allowed, ok := parameter["AllowedValues"]; ok && !slices.Contains(strs(allowed), value) {
		return "it is none of the AllowedValues"
	}
	if parameter["Type"] == "Number" {
		number, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return "it is no number"
		}
		for key, outside := range map[string]func(limit float64) bool{
			"MinValue": func(limit float64) bool { return number < limit }, "MaxValue": func(limit float64) bool { return number > limit }} {
			if text, ok := parameter[key].(string); ok {
				if limit, err := strconv.ParseFloat(text, 64); err != nil || outside(limit) {
					return "it is beyond " + key
				}
			}
		}
	}
	if pattern, ok := parameter["AllowedPattern"].(string); ok && !matches(t, pattern, value) {
		return "it does not match the AllowedPattern"
	}
	values := map[string]string{}
	for other, p := range tm.parameters {
		values[other], _ = at(p, "Default").(string)
	}
	maps.Copy(values, stack)
	values[name] = value
	for rule, r := range tm.rules {
		if condition := at(r, "RuleCondition"); condition != nil && !holds(t, condition, values) {
			continue
		}
		for _, a := range many(at(r, "Assertions")) {
			if !holds(t, at(a, "Assert"), values) {
				return "the rule " + rule + " refuses it"
			}
		}
	}
	return ""
}

// matches reports whether a value matches a pattern of CloudFormation, which is Java's and must
// match all of the value. What Go does not have is one exclusion at the start, ^(?!no)(yes)$: it is
// taken apart here, and is the only construct of its kind that a pattern may have.
func matches(t *testing.T, pattern, value string) bool {
	t.Helper()
	if !strings.HasPrefix(pattern, "^") || !strings.HasSuffix(pattern, "$") {
		t.Errorf("%s: a pattern begins with ^ and ends with $, as people read it", pattern)
	}
	if rest, ok := strings.CutPrefix(pattern, "^(?!"); ok {
		end := closing(rest)
		if compiled(t, "^(?:"+rest[:end]+")").MatchString(value) {
			return false
		}
		pattern = "^" + rest[end+1:]
	}
	// Unlike Go's, Java's $ also matches before a line break at the end, but the whole value must
	// match.
	return compiled(t, pattern).MatchString(value)
}

// closing is the index of the parenthesis that closes a group which was opened before the text.
func closing(text string) int {
	depth, class := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\':
			i++
		case class:
			class = c != ']'
		case c == '[':
			class = true
		case c == '(':
			depth++
		case c == ')' && depth == 0:
			return i
		case c == ')':
			depth--
		}
	}
	return len(text) - 1
}

var patterns sync.Map

func compiled(t *testing.T, pattern string) *regexp.Regexp {
	t.Helper()
	if r, ok := patterns.Load(pattern); ok {
		return r.(*regexp.Regexp)
	}
	r, err := regexp.Compile(pattern)
	if err != nil {
		t.Fatalf("%s: %v", pattern, err)
	}
	patterns.Store(pattern, r)
	return r
}

// holds evaluates a condition of a rule.
func holds(t *testing.T, condition any, values map[string]string) bool {
	t.Helper()
	value := func(v any) string {
		if name, ok := at(v, "Ref").(string); ok {
			return values[name]
		}
		text, ok := v.(string)
		if !ok {
			t.Fatalf("a rule compares %s, which this test does not know", canonical(v))
		}
		return text
	}
	c, _ := condition.(object)
	for function, arguments := range c {
		operands := many(arguments)
		switch function {
		case "Fn::Equals":
			return value(operands[0]) == value(operands[1])
		case "Fn::Not":
			return !holds(t, operands[0], values)
		case "Fn::And":
			return !slices.ContainsFunc(operands, func(o any) bool { return !holds(t, o, values) })
		case "Fn::Or":
			return slices.ContainsFunc(operands, func(o any) bool { return holds(t, o, values) })
		}
	}
	t.Fatalf("a rule has %s, which this test does not know", canonical(condition))
	return false
}

package repotest

import (
	"context"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"didit-sessions/internal/api"
	"didit-sessions/internal/awsstore"
	"didit-sessions/internal/config"
	"didit-sessions/internal/verification"
)

const root = "../../"

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(root + path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// files returns the texts of all files with the suffix under a directory, by path.
func files(t *testing.T, dir, suffix string) map[string]string {
	t.Helper()
	texts := map[string]string{}
	err := filepath.WalkDir(root+dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.IsDir() && strings.HasSuffix(path, suffix) {
			texts[strings.TrimPrefix(filepath.ToSlash(path), root)] = read(t, strings.TrimPrefix(path, root))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

// all returns the first group of every match, sorted and each once.
func all(expression, text string) []string {
	var found []string
	for _, match := range regexp.MustCompile(expression).FindAllStringSubmatch(text, -1) {
		found = append(found, match[1])
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// constants returns the values of the string constants of a file.
func constants(t *testing.T, path string, take func(name string) bool) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), root+path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		for i, name := range spec.Names {
			if i < len(spec.Values) && take(name.Name) {
				if literal, ok := spec.Values[i].(*ast.BasicLit); ok && literal.Kind == token.STRING {
					value, _ := strconv.Unquote(literal.Value)
					values = append(values, value)
				}
			}
		}
		return true
	})
	slices.Sort(values)
	return values
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if len(want) == 0 || !slices.Equal(got, want) {
		t.Errorf("%s:\ngot  %q\nwant %q", what, got, want)
	}
}

func section(t *testing.T, text, from, to string) string {
	t.Helper()
	_, after, ok := strings.Cut(text, from)
	if !ok {
		t.Fatalf("there is no %q", from)
	}
	before, _, _ := strings.Cut(after, to)
	return before
}

// loaders are the functions' configurations, by directory.
var loaders = map[string]func(getenv func(string) string) error{
	"createsession": func(f func(string) string) error { _, err := config.LoadCreateSession(f); return err },
	"getsession":    func(f func(string) string) error { _, err := config.LoadGetSession(f); return err },
	"webhook":       func(f func(string) string) error { _, err := config.LoadWebhook(f); return err },
	"trackstatus":   func(f func(string) string) error { _, err := config.LoadTrackStatus(f); return err },
	"awaitdecision": func(f func(string) string) error { _, err := config.LoadAwaitDecision(f); return err },
	"reconcile":     func(f func(string) string) error { _, err := config.LoadReconcile(f); return err },
	"getdecision":   func(f func(string) string) error { _, err := config.LoadGetDecision(f); return err },
}

// Ensure that code, template and README know the same variables, and that the template gives each
// function those that it reads.
func TestVariables(t *testing.T) {
	t.Parallel()
	inCode := constants(t, "internal/config/config.go", func(string) bool { return true })
	same(t, "variables of README.md", all("(?m)^\\| `([A-Z_]+)` \\|", section(t, read(t, "README.md"), "## Configuration", "\n## ")), inCode)
	for _, name := range functions(t) {
		load := loaders[name]
		if load == nil {
			t.Errorf("functions/%s: its configuration is not tested here", name)
			continue
		}
		var reads []string
		_ = load(func(variable string) string { reads = append(reads, variable); return "" })
		slices.Sort(reads)
		same(t, "variables of "+name+" in template.yaml", all(`(?m)^ {10}([A-Z_]+):`, resource(t, name)), slices.Compact(reads))
	}
}

// functions are the directories of the functions.
func functions(t *testing.T) []string {
	t.Helper()
	mains, err := filepath.Glob(root + "functions/*/main.go")
	if err != nil || len(mains) == 0 {
		t.Fatal("no functions", err)
	}
	for i, path := range mains {
		mains[i] = filepath.Base(filepath.Dir(path))
	}
	return mains
}

// resource is the text of a function's resource in the template.
func resource(t *testing.T, function string) string {
	t.Helper()
	for _, text := range regexp.MustCompile(`(?m)^  \w+:$`).Split(section(t, read(t, "template.yaml"), "\nResources:\n", "\nOutputs:"), -1) {
		if strings.Contains(text, "Role: !GetAtt ") && strings.EqualFold(all(`Role: !GetAtt (\w+)Role\.Arn`, text)[0], function) && strings.Contains(text, "AWS::Serverless::Function") {
			return text
		}
	}
	t.Fatalf("template.yaml has no function for functions/%s", function)
	return ""
}

// Ensure that each function is published under an alias whose version follows the parameters, and that
// workflows and other stacks are told the alias.
func TestAliases(t *testing.T) {
	t.Parallel()
	template := read(t, "template.yaml")
	if !strings.Contains(template, "Transform:\n  - AWS::LanguageExtensions\n  - AWS::Serverless-2016-10-31\n") {
		t.Error("without the language extensions an alias keeps the old configuration")
	}
	for _, name := range functions(t) {
		text := resource(t, name)
		if !strings.Contains(text, "AutoPublishAlias: live\n") || !strings.Contains(text, "AutoPublishAliasAllProperties: true\n") {
			t.Errorf("%s has no alias, or one that keeps the old configuration", name)
		}
	}
	// An execution that waits for days, or somebody else's workflow, must not be bound to what was
	// deployed when it began.
	for _, place := range []string{section(t, template, "DefinitionSubstitutions:\n", "      Role:"), section(t, template, "- Sid: CreateAndAwait\n", "\nOutputs:"),
		section(t, template, "\n  AwaitDecisionFunctionArn:\n", "\n  GetDecision")} {
		if arns := all(`(\w+Function(?:\.\w+)?)$`, place); strings.Contains(place, "Function.Arn") || !strings.Contains(place, "Function.Alias") {
			t.Errorf("%q names a function without its alias: %q", place, arns)
		}
	}
}

// Ensure that the state machine matches on errors that functions return, and on no others.
func TestStateMachine(t *testing.T) {
	t.Parallel()
	var machine struct {
		States map[string]struct {
			Type         string
			Retry, Catch []struct{ ErrorEquals []string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, "functions/awaitdecision/verifyidentity.asl.json")), &machine); err != nil {
		t.Fatal(err)
	}
	known := all("\\| `(\\w+)` \\|", section(t, read(t, "README.md"), "### Errors", "\n## "))
	known = append(known, verification.TaskSessionExpired, verification.TaskSessionAbandoned, verification.TaskSessionNotFound)
	caught := map[string]bool{}
	for name, state := range machine.States {
		for _, rule := range append(state.Retry, state.Catch...) {
			for _, e := range rule.ErrorEquals {
				caught[e] = true
				service := strings.HasPrefix(e, "Lambda.") || strings.HasPrefix(e, "States.") || strings.HasPrefix(e, "Sandbox.")
				if !service && !slices.Contains(known, e) {
					t.Errorf("%s matches on %s, which nothing returns", name, e)
				}
			}
		}
		if state.Type == "Task" && (len(state.Retry) != 1 || !slices.Contains(state.Retry[0].ErrorEquals, "BackendUnavailable")) {
			t.Errorf("%s does not try again", name)
		}
	}
	for _, want := range []string{"Throttled", "DiditUnavailable", "DiditTimeout", "BackendUnavailable", "UserBlocked", "SessionExpired", "SessionAbandoned", "SessionNotFound", "States.Timeout"} {
		if !caught[want] {
			t.Errorf("nothing matches on %s", want)
		}
	}
}

// Ensure that the template's table and its indexes are those that the code uses.
func TestTable(t *testing.T) {
	t.Parallel()
	table := section(t, read(t, "template.yaml"), "\n  SessionsTable:\n", "\n  EventBus:")
	for _, want := range []string{
		"AttributeName: " + awsstore.PartitionKey + ", KeyType: HASH", "AttributeName: " + awsstore.SortKey + ", KeyType: RANGE",
		"IndexName: " + awsstore.OwnerIndex + "\n", "IndexName: " + awsstore.DueIndex + "\n",
		"AttributeName: " + awsstore.OwnerPartitionKey + ", KeyType: HASH", "AttributeName: " + awsstore.OwnerSortKey + ", KeyType: RANGE",
		"AttributeName: " + awsstore.DuePartitionKey + ", KeyType: HASH", "AttributeName: " + awsstore.DueSortKey + ", KeyType: RANGE",
		"TimeToLiveSpecification: {AttributeName: " + awsstore.ExpiryAttribute + ", Enabled: true}",
		"BillingMode: PAY_PER_REQUEST", "PointInTimeRecoveryEnabled: true",
	} {
		if !strings.Contains(table, want) {
			t.Errorf("the table of template.yaml does not have %q", want)
		}
	}
}

// failing is a domain that fails with one code.
type failing verification.Code

func (f failing) Create(context.Context, verification.CreateRequest) (verification.Session, error) {
	return verification.Session{}, &verification.Error{Code: verification.Code(f)}
}

// Ensure that README's error table says what callers get, and leaves no code out.
func TestErrors(t *testing.T) {
	t.Parallel()
	rows := regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (\\d{3}) \\| (?:`(\\w+)`|–)").
		FindAllStringSubmatch(section(t, read(t, "README.md"), "### Errors", "\n## "), -1)
	told := map[string]bool{}
	for _, row := range rows {
		code, status, name := row[1], row[2], row[3]
		told[code] = true
		switch code {
		case "unauthenticated", "not_found", "payload_too_large", "unsupported_media_type":
			continue // of the api package itself, whose tests hold their statuses
		}
		c := &api.CreateSession{Sessions: failing(code), Log: slog.New(slog.DiscardHandler), Callers: api.Callers{Identify: func(*http.Request) api.Identity {
			return api.Identity{Claims: map[string]json.RawMessage{"sub": json.RawMessage(`"u"`)}}
		}}}
		w := httptest.NewRecorder()
		c.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/sessions", strings.NewReader(`{}`)))
		if got := fmt.Sprint(w.Code); got != status || !strings.Contains(w.Body.String(), `"code":"`+code+`"`) {
			t.Errorf("README says %s %s, callers get %s %s", status, code, got, w.Body)
		}
		_, err := c.Direct(t.Context(), []byte(`{}`))
		if typed, ok := err.(interface{ ErrorType() string }); name != "" && (!ok || typed.ErrorType() != name) {
			t.Errorf("README says %s is %s on the direct door, workflows get %v", code, name, err)
		}
	}
	for _, code := range constants(t, "internal/verification/error.go", func(name string) bool { return strings.HasPrefix(name, "Code") }) {
		if !told[code] && code != string(verification.CodeSecretUnavailable) {
			t.Errorf("README's error table does not have %s", code)
		}
	}
}

// Ensure that README's parameter table has every field that create takes.
func TestParameters(t *testing.T) {
	t.Parallel()
	table := section(t, read(t, "README.md"), "### `POST /sessions`", "\n### ")
	var told []string
	for _, row := range regexp.MustCompile("(?m)^\\| (`.+?) \\|").FindAllStringSubmatch(table, -1) {
		object := ""
		for _, name := range all("`([a-z_.]+)`", row[1]) {
			if prefix, _, dotted := strings.Cut(name, "."); dotted && prefix != "" {
				object = prefix
			}
		}
		for _, name := range all("`([a-z_.]+)`", row[1]) {
			if strings.HasPrefix(name, ".") {
				name = object + name
			}
			told = append(told, name)
			if !verification.KnownField(name) {
				t.Errorf("README has %s, which create does not take", name)
			}
		}
	}
	for _, path := range all(`(?m)^\t\{"([a-z_.]+)", `, read(t, "internal/verification/rules.go")) {
		if path != "contact_details" && path != "expected_details" && !slices.Contains(told, path) {
			t.Errorf("README's table does not have %s", path)
		}
	}
}

// Ensure that each function is in the template, is built by the Makefile, and that its routes are
// told in README.
func TestTemplate(t *testing.T) {
	t.Parallel()
	template, makefile := read(t, "template.yaml"), read(t, "Makefile")
	functions, err := filepath.Glob(root + "functions/*/main.go")
	if err != nil || len(functions) == 0 {
		t.Fatal("no functions", err)
	}
	var built []string
	for _, path := range functions {
		name := filepath.Base(filepath.Dir(path))
		built = append(built, all(`(?m)^build-(\w+):\n.*\./functions/`+name+`\n`, makefile)...)
	}
	slices.Sort(built)
	same(t, "functions that the Makefile builds", built, all(`(?m)^  (\w+):\n    Type: AWS::Serverless::Function\n(?:    Condition: \w+\n)?    Metadata:\n      BuildMethod: makefile`, template))
	if len(built) != len(functions) {
		t.Errorf("%d functions, %d of them are built", len(functions), len(built))
	}
	var routes []string
	for _, match := range regexp.MustCompile(`Method: (\w+)\n +Path: (\S+)`).FindAllStringSubmatch(template, -1) {
		routes = append(routes, match[1]+" "+match[2])
	}
	slices.Sort(routes)
	same(t, "routes of README.md", all("(?m)^### `([A-Z]+ /\\S+)`", read(t, "README.md")), routes)
}

// Ensure that every command of README is a target, and every target explains itself.
func TestMakefile(t *testing.T) {
	t.Parallel()
	makefile := read(t, "Makefile")
	targets := all(`(?m)^([a-z-]+):.*## `, makefile)
	for _, name := range all("make ([a-z][a-z-]+)", read(t, "README.md")+read(t, ".ci/run")) {
		if !slices.Contains(targets, name) {
			t.Errorf("make %s is promised, but is no target", name)
		}
	}
	for _, want := range []string{"run", "demo", "test", "check", "build", "bench", "fuzz", "invoke", "validate", "sam-build", "sam-invoke", "system", "deploy", "destroy", "clean"} {
		if !slices.Contains(targets, want) {
			t.Errorf("there is no make %s", want)
		}
	}
}

// Ensure that each event belongs to a function, is valid JSON, and is used by that function's test.
func TestEvents(t *testing.T) {
	t.Parallel()
	for path, text := range files(t, "events", ".json") {
		function, name, _ := strings.Cut(strings.TrimSuffix(filepath.Base(path), ".json"), "-")
		if !json.Valid([]byte(text)) {
			t.Errorf("%s is not JSON", path)
		}
		used := false
		for _, test := range files(t, "functions/"+function, "_test.go") {
			used = used || strings.Contains(test, `"`+name+`"`)
		}
		if !used {
			t.Errorf("%s is used by no test of functions/%s", path, function)
		}
	}
}

// Ensure that nothing in the repository looks like a real secret.
func TestNoSecrets(t *testing.T) {
	t.Parallel()
	looksReal := regexp.MustCompile(`AKIA[0-9A-Z]{16}|-----BEGIN [A-Z ]*PRIVATE KEY|eyJ[A-Za-z0-9_-]{30,}\.eyJ[A-Za-z0-9_-]{30,}`)
	for _, dir := range []string{"events", "functions", "internal"} {
		for path, text := range files(t, dir, "") {
			if found := looksReal.FindString(text); found != "" {
				t.Errorf("%s holds what looks like a secret: %.12s…", path, found)
			}
		}
	}
}

// Ensure that the top level holds what belongs there and nothing else.
func TestTopLevel(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	allowed := []string{"LICENSE", "Makefile", "README.md", "bin", "events", "functions", "go.mod", "go.sum", "internal", "samconfig.toml", "template.yaml"}
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), ".") && !slices.Contains(allowed, entry.Name()) {
			t.Errorf("%s does not belong at the top level", entry.Name())
		}
	}
}

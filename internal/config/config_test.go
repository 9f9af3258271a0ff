package config

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"didit-sessions/internal/verification"
)

const (
	workflow      = "11111111-2222-3333-4444-555555555555"
	otherWorkflow = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
)

// least holds the variables without which no function starts.
var least = map[string]string{DiditSecretID: "didit/api", WorkflowIDs: workflow}

// load reads the least environment with some variables changed.
func load(changed map[string]string) (CreateSession, error) {
	all := maps.Clone(least)
	maps.Copy(all, changed)
	return LoadCreateSession(func(name string) string { return all[name] })
}

// problems are the lines of an error.
func problems(err error) []string {
	if err == nil {
		return nil
	}
	return strings.Split(err.Error(), "\n")
}

func TestLoadCreateSession_defaults(t *testing.T) {
	t.Parallel()
	want := CreateSession{
		Didit: Didit{SecretID: "didit/api"}, Callers: Callers{PrincipalClaim: "sub"}, Table: Table{Retention: 1095 * 24 * time.Hour, ReconcileAfter: 15 * time.Minute},
		Policy: verification.Policy{WorkflowIDs: []string{workflow}, SessionsPerDay: 10, UserFields: []string{
			"workflow_id", "callback", "callback_method", "language", "metadata",
			"contact_details.email", "contact_details.email_lang", "contact_details.phone",
			"expected_details.first_name", "expected_details.last_name", "expected_details.date_of_birth", "expected_details.gender",
			"expected_details.nationality", "expected_details.country", "expected_details.address"}},
	}
	empty := map[string]string{}
	for _, name := range []string{DiditAuthURL, DiditAPIURL, DiditAPIVersion, BiometricWorkflowIDs, CallerAuth, PrincipalClaim, UserFields, ExtraFields, AllowedCallbacks, TableName, RetentionDays, Reverify, SessionsPerDay} {
		empty[name] = " "
	}
	for name, changed := range map[string]map[string]string{"unset": nil, "empty": empty} {
		got, err := load(changed)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, error %v\nwant %+v", name, got, err, want)
		}
	}
}

func TestLoadCreateSession_values(t *testing.T) {
	t.Parallel()
	got, err := load(map[string]string{
		DiditSecretID: " arn:aws:secretsmanager:eu-west-1:123456789012:secret:didit ", DiditAuthURL: "https://auth.example.com", DiditAPIURL: "https://api.example.com:8443/prefix",
		DiditAPIVersion: "v3", WorkflowIDs: strings.ToUpper(otherWorkflow) + " , " + workflow + ",", BiometricWorkflowIDs: strings.ToUpper(workflow), CallerAuth: "iam",
		PrincipalClaim: "custom:id", ExtraFields: "newest, other_1", UserFields: "language, contact_details,newest , expected_details.gender",
		AllowedCallbacks: "https://app.example.com/verified, myapp://", TableName: " sessions ", RetentionDays: "30", Reverify: "yes", SessionsPerDay: "0",
	})
	if err != nil {
		t.Fatal(err)
	}
	var prefixes []verification.CallbackPrefix
	for _, entry := range []string{"https://app.example.com/verified", "myapp://"} {
		prefix, err := verification.ParseCallbackPrefix(entry)
		if err != nil {
			t.Fatal(err)
		}
		prefixes = append(prefixes, prefix)
	}
	want := CreateSession{
		Didit: Didit{SecretID: "arn:aws:secretsmanager:eu-west-1:123456789012:secret:didit", AuthURL: "https://auth.example.com",
			APIURL: "https://api.example.com:8443/prefix", APIVersion: "v3"},
		Callers: Callers{TrustIAM: true, PrincipalClaim: "custom:id"}, Table: Table{Name: "sessions", Retention: 30 * 24 * time.Hour, ReconcileAfter: 15 * time.Minute},
		Policy: verification.Policy{WorkflowIDs: []string{otherWorkflow, workflow}, Reverify: true, BiometricWorkflowIDs: []string{workflow}, ExtraFields: []string{"newest", "other_1"},
			UserFields: []string{"language", "contact_details", "newest", "expected_details.gender"}, AllowedCallbacks: prefixes},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestLoadCreateSession_workflows(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		value string
		want  []string
		any   bool
		says  string // of the refusal
	}{
		{workflow, []string{workflow}, false, ""},
		{"," + workflow + ",," + workflow + ",", []string{workflow, workflow}, false, ""},
		{"*", nil, true, ""},
		{" * ", nil, true, ""},
		{"", nil, false, "is not set"},
		{"  ", nil, false, "is not set"},
		{",", nil, false, "holds no UUID"},
		{" , ,", nil, false, "holds no UUID"},
		{"kyc", nil, false, `holds "kyc"`},
		{workflow + ",*", nil, false, `holds "*"`},
		{"**", nil, false, `holds "**"`},
		{workflow + ";" + otherWorkflow, nil, false, "separated by commas"},
		{workflow[1:], nil, false, workflow[1:]},
	} {
		got, err := load(map[string]string{WorkflowIDs: test.value})
		if test.says == "" {
			if err != nil || !slices.Equal(got.Policy.WorkflowIDs, test.want) || got.Policy.AnyWorkflow != test.any {
				t.Errorf("%q: got %q, any %v, error %v, want %q, any %v", test.value, got.Policy.WorkflowIDs, got.Policy.AnyWorkflow, err, test.want, test.any)
			}
			continue
		}
		lines := problems(err)
		if len(lines) != 1 || !strings.HasPrefix(lines[0], WorkflowIDs+" ") || !strings.Contains(lines[0], test.says) {
			t.Errorf("%q: got %q, want one problem of %s that says %q", test.value, lines, WorkflowIDs, test.says)
		}
		if got.Policy.AnyWorkflow {
			t.Errorf("%q: any workflow is allowed beside the error", test.value)
		}
	}
}

// Ensure that a wrong variable is named, alone, with the form expected.
func TestLoadCreateSession_wrong(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		values []string
		says   string
	}{
		{DiditSecretID, []string{"", " "}, "is not set; it must be the name or ARN"},
		{DiditAuthURL, []string{"auth.example.com", "//auth.example.com", "http://auth.example.com", "ftp://auth.example.com", "https://", "https:auth.example.com", "https://:443",
			"https://user:HIDDEN@auth.example.com", "https://auth.example.com/?token=HIDDEN", "https://auth.example.com/?", "https://auth.example.com#HIDDEN", "https://auth.example.com/#",
			"https://auth.example.com:port", "http://localhost.example.com", "http://127.0.0.1.example.com", "http://10.0.0.1", "http://0.0.0.0", "http://user:HIDDEN@localhost"}, "must be an https URL without query"},
		{DiditAPIURL, []string{"http://verification.didit.me", "verification.didit.me", "https://api.example.com?x"}, "must be an https URL without query"},
		{DiditAPIVersion, []string{"v1", "V2", "3", "v2,v3"}, "must be v2 or v3"},
		{BiometricWorkflowIDs, []string{"kyc", "*", workflow + " " + otherWorkflow}, "must be UUIDs separated by commas"},
		{CallerAuth, []string{"JWT", "none", "jwt,iam"}, "must be jwt or iam"},
		{ExtraFields, []string{"a.b", "a b", "1a", "é", "-a", "*", strings.Repeat("x", 65), "include_url"}, "must be names of top-level fields"},
		{ExtraFields, []string{"metadata", "vendor_data", "contact_details"}, "which is a field already"},
		{Reverify, []string{"YES", "true", "1", "yes,no"}, "must be yes or no"},
		{SessionsPerDay, []string{"-1", "101", "1000", "1.5", "ten", "1e1"}, "must be a number from 0, no limit, to 100"},
		{RetentionDays, []string{"0", "1", "-5", "3651", "30d", "1e3", "a year"}, "must be a number of days from 2 to 3650"},
		{AllowedCallbacks, []string{"http://app.example.com/", "app.example.com", "*", "javascript:", "https://app.example.com/?x", "https://*.example.com/"}, "must be an https URL prefix or an app scheme"},
	} {
		for _, value := range test.values {
			got := problems(second(load(map[string]string{test.name: value})))
			if len(got) != 1 || !strings.HasPrefix(got[0], test.name+" ") || !strings.Contains(got[0], test.says) {
				t.Errorf("%s=%q: got %q, want one problem that begins with the name and says %q", test.name, value, got, test.says)
			}
			if strings.Contains(strings.Join(got, ""), "HIDDEN") {
				t.Errorf("%s=%q: got %q, which shows a password or a token", test.name, value, got)
			}
		}
	}
}

func second(_ CreateSession, err error) error { return err }

// Ensure that plain http reaches nothing but this machine.
func TestLoadCreateSession_loopback(t *testing.T) {
	t.Parallel()
	for _, origin := range []string{"http://localhost", "http://localhost:8080/prefix", "http://127.0.0.1:9000", "http://127.1.2.3", "http://[::1]:9000", "https://127.0.0.1"} {
		got, err := load(map[string]string{DiditAuthURL: origin, DiditAPIURL: origin})
		if err != nil || got.Didit.AuthURL != origin || got.Didit.APIURL != origin {
			t.Errorf("%q: got %q and %q, error %v, want it taken", origin, got.Didit.AuthURL, got.Didit.APIURL, err)
		}
	}
}

// Ensure that everything wrong is reported at once, each entry of a list included.
func TestLoadCreateSession_allWrong(t *testing.T) {
	t.Parallel()
	wrong := map[string]string{
		DiditSecretID: "", DiditAuthURL: "http://a.example.com", DiditAPIURL: "api", DiditAPIVersion: "v9", WorkflowIDs: "one,two", BiometricWorkflowIDs: "three",
		CallerAuth: "anyone", ExtraFields: "a.b,language", AllowedCallbacks: "http://x,y",
	}
	var got []string
	for _, line := range problems(second(load(wrong))) {
		name, _, _ := strings.Cut(line, " ")
		got = append(got, name)
	}
	slices.Sort(got)
	want := []string{AllowedCallbacks, AllowedCallbacks, BiometricWorkflowIDs, CallerAuth, DiditAPIURL, DiditAPIVersion, DiditAuthURL, DiditSecretID,
		ExtraFields, ExtraFields, WorkflowIDs, WorkflowIDs}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%q: got problems of %q, want %q", wrong, got, want)
	}
	if got := problems(second(LoadCreateSession(func(string) string { return "" }))); len(got) != 2 {
		t.Errorf("nothing set: got %q, want the two required variables", got)
	}
}

// Ensure that a user field may be an extra one, and that a list of nothing is the default.
func TestLoadCreateSession_fields(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 64)
	if got, err := load(map[string]string{ExtraFields: long}); err != nil || !slices.Equal(got.Policy.ExtraFields, []string{long}) {
		t.Errorf("64 letters: got %q, error %v", got.Policy.ExtraFields, err)
	}
	got, err := load(map[string]string{ExtraFields: "newest,newest", UserFields: "newest"})
	if err != nil || !slices.Equal(got.Policy.UserFields, []string{"newest"}) || !slices.Equal(got.Policy.ExtraFields, []string{"newest", "newest"}) {
		t.Errorf("got %q and %q, error %v, want newest in both", got.Policy.UserFields, got.Policy.ExtraFields, err)
	}
	for _, name := range []string{"newest", "nonsense", "contact_details.fax", "LANGUAGE", "*", "expected_details."} {
		if got, err := load(map[string]string{UserFields: name}); err != nil || !slices.Equal(got.Policy.UserFields, []string{name}) {
			t.Errorf("user field %q: got %q, error %v, want it to match nothing", name, got.Policy.UserFields, err)
		}
	}
	got, err = load(map[string]string{UserFields: " , ", ExtraFields: ",", AllowedCallbacks: ",", BiometricWorkflowIDs: ","})
	if err != nil || !slices.Equal(got.Policy.UserFields, verification.UserFields) || got.Policy.ExtraFields != nil || got.Policy.AllowedCallbacks != nil || got.Policy.BiometricWorkflowIDs != nil {
		t.Errorf("lists of nothing: got %+v, error %v, want the defaults", got.Policy, err)
	}
}

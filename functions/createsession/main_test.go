package main

import (
	"cmp"
	"encoding/json"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/functiontest"
	"didit-sessions/internal/lambdatest"
)

const (
	workflow = "11111111-2222-3333-4444-555555555555"
	secretID = "didit"
)

func TestMain(m *testing.M) { functiontest.Main(m, "createsession") }

// kind is a kind of credentials with a version of Didit's API; the zero value is the default.
type kind struct{ name, secret, version string }

const pairSecret = `{"client_id":"` + didittest.DefaultClientID + `","client_secret":"` + didittest.DefaultClientSecret + `"}`

var kinds = []kind{
	{"bearer v2", pairSecret, ""},
	{"bearer v3", pairSecret, "v3"},
	{"api key v3", `{"api_key":"` + didittest.DefaultAPIKey + `"}`, ""},
	{"api key v2", `{"api_key":"` + didittest.DefaultAPIKey + `"}`, "v2"},
}

func (k kind) usesKey() bool { return strings.HasPrefix(k.name, "api key") }

// path is the session endpoint that the kind must use.
func (k kind) path() string { return "/" + k.name[len(k.name)-2:] + "/session/" }

func (k kind) world(t *testing.T, options lambdatest.Options, env map[string]string) *world {
	t.Helper()
	all := map[string]string{"DIDIT_API_VERSION": k.version}
	maps.Copy(all, env)
	w := newWorldWith(t, options, all)
	w.secrets.Set(secretID, k.secret)
	return w
}

// world is the function with everything around it.
type world struct {
	*lambdatest.Function
	didit   *didittest.Server
	secrets *lambdatest.SecretsManager
	tried   int // reads of the secret while the function started
}

// reads is how often the secret was read since the function started.
func (w *world) reads() int { return w.secrets.Calls() - w.tried }

func newWorld(t *testing.T, concurrency int, env map[string]string) *world {
	t.Helper()
	return newWorldWith(t, lambdatest.Options{MaxConcurrency: concurrency}, env)
}

func newWorldWith(t *testing.T, options lambdatest.Options, env map[string]string) *world {
	t.Helper()
	w := newUpstreams(t)
	w.startUnprepared(t, options, env)
	return w
}

// newUpstreams is a world whose function is not started yet.
func newUpstreams(t *testing.T) *world {
	t.Helper()
	w := &world{didit: &didittest.Server{}, secrets: &lambdatest.SecretsManager{}}
	if err := w.didit.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.didit.Close)
	if err := w.secrets.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.secrets.Close)
	w.secrets.Set(secretID, pairSecret)
	return w
}

// startUnprepared starts the function, which is denied the secret until it is ready: what a test does
// from then on meets the first request, and not what prepares it. Most tests begin so.
func (w *world) startUnprepared(t *testing.T, options lambdatest.Options, env map[string]string) {
	t.Helper()
	w.secrets.Fail(lambdatest.AccessDenied, lambdatest.UntilCleared)
	w.start(t, options, env)
	// A function that does not start has its own tests.
	_, _ = w.WaitReady(t.Context())
	w.secrets.ClearFaults()
	w.tried = w.secrets.Calls()
}

// start starts the function as it ships, unless the options name another binary.
func (w *world) start(t *testing.T, options lambdatest.Options, env map[string]string) {
	t.Helper()
	all := map[string]string{
		"DIDIT_SECRET_ID": secretID, "DIDIT_AUTH_URL": w.didit.URL(), "DIDIT_API_URL": w.didit.URL(),
		"WORKFLOW_IDS": workflow, "ALLOWED_CALLBACKS": "https://example.com/verification",
		"AWS_ENDPOINT_URL_SECRETS_MANAGER": w.secrets.URL(),
	}
	maps.Copy(all, env)
	options.Binary, options.Env = cmp.Or(options.Binary, functiontest.Binary(t)), all
	var err error
	w.Function, err = lambdatest.Start(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Stop() })
}

func (w *world) invoke(t *testing.T, payload []byte) lambdatest.Result {
	t.Helper()
	r, err := w.Invoke(t.Context(), payload)
	if err != nil {
		t.Fatalf("%v\n%s", err, w.Logs())
	}
	return r
}

func event(t *testing.T, name string) []byte {
	t.Helper()
	payload, err := os.ReadFile("../../events/createsession-" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

// Ensure that each recorded payload gets the answer that its name promises.
func TestEvents(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name      string
		status    int    // of HTTP
		code      string // of a problem
		errorType string // of the direct door
		fields    string // named by a refusal
	}{
		{name: "http-minimal", status: 201},
		{name: "http-full", status: 201},
		{name: "http-refused", status: 400, code: "invalid_request",
			fields: "workflow_id expected_details.nationality expected_details.address"},
		{name: "http-unauthenticated", status: 401, code: "unauthenticated"},
		{name: "http-iam", status: 201},
		{name: "direct-minimal"},
		{name: "direct-full"},
		{name: "direct-refused", errorType: "InvalidRequest", fields: "contact_details.phone nickname"},
	} {
		for _, k := range kinds {
			t.Run(test.name+" "+k.name, func(t *testing.T) {
				t.Parallel()
				env := map[string]string{}
				if test.name == "http-iam" {
					env["CALLER_AUTH"] = "iam"
				}
				w := k.world(t, lambdatest.Options{}, env)
				r := w.invoke(t, event(t, test.name))
				body := string(r.Payload)
				if test.status != 0 {
					a, err := r.HTTP()
					if err != nil {
						t.Fatal(err)
					}
					body = string(a.Body)
					if a.Status != test.status || test.code != "" && !strings.Contains(body, `"code":"`+test.code+`"`) {
						t.Errorf("got %d %s, want %d %s", a.Status, body, test.status, test.code)
					}
				} else if r.ErrorType != test.errorType {
					t.Errorf("got error %q %s, want %q", r.ErrorType, r.ErrorMessage, test.errorType)
				}
				for field := range strings.FieldsSeq(test.fields) {
					if !strings.Contains(body, field) {
						t.Errorf("got %s, want %s named in it", body, field)
					}
				}
				refused := test.code != "" || test.errorType != ""
				if got := w.didit.Count(didittest.OpCreate) == 0; got != refused {
					t.Errorf("Didit was asked %d times", w.didit.Count(didittest.OpCreate))
				}
				if !refused && !strings.Contains(body, `"session_id"`) {
					t.Errorf("got %s, want a session", body)
				}
				if strings.Contains(body, `"url"`) != (!refused && test.name != "direct-full") {
					t.Errorf("got %s", body)
				}
				for _, request := range w.didit.Requests() {
					if request.Op == didittest.OpCreate && (request.Path != k.path() || (request.AuthScheme == "x-api-key") != k.usesKey()) {
						t.Errorf("got a request to %s with %s", request.Path, request.AuthScheme)
					}
				}
			})
		}
	}
}

// Ensure that warm invocations read the secret and buy a token once, and that a repeated request
// gets the same session.
func TestWarm(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, nil)
	ids := map[string]bool{}
	for range 20 {
		a, err := w.invoke(t, event(t, "http-full")).HTTP()
		if err != nil || a.Status != 201 {
			t.Fatalf("got %d %s, %v", a.Status, a.Body, err)
		}
		var session struct {
			ID string `json:"session_id"`
		}
		if err := json.Unmarshal(a.Body, &session); err != nil {
			t.Fatal(err)
		}
		ids[session.ID] = true
	}
	if len(ids) != 1 {
		t.Errorf("got %d sessions, want 1", len(ids))
	}
	w.wantCalls(t, 1, 1, 20)
}

func (w *world) wantCalls(t *testing.T, secretReads, tokens, creates int) {
	t.Helper()
	gotReads, gotTokens, gotCreates := w.reads(), w.didit.Count(didittest.OpToken), w.didit.Count(didittest.OpCreate)
	if gotReads != secretReads || gotTokens != tokens || gotCreates != creates {
		t.Errorf("got %d secret reads, %d token requests, %d creates; want %d, %d, %d\n%s",
			gotReads, gotTokens, gotCreates, secretReads, tokens, creates, w.Logs())
	}
}

// Ensure that a rotated secret costs one refused call and no failed answer, and that one that is
// wrong for good is not read on every call.
func TestRotation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, nil)
	if r := w.invoke(t, event(t, "direct-minimal")); r.Failed() {
		t.Fatal(r.ErrorMessage)
	}
	begin := time.Now()
	w.didit.SetCredentials("new-id", "new-secret", "new-key")
	w.secrets.Set(secretID, `{"client_id":"new-id","client_secret":"new-secret"}`)
	if r := w.invoke(t, event(t, "direct-minimal")); r.Failed() {
		t.Fatal(r.ErrorMessage)
	}
	w.wantCalls(t, 2, 2, 3)

	w.didit.SetCredentials("newer-id", "newer-secret", "newer-key")
	for range 3 {
		if r := w.invoke(t, event(t, "direct-minimal")); r.ErrorType != "CredentialsRejected" {
			t.Errorf("got %q %s, want CredentialsRejected", r.ErrorType, r.ErrorMessage)
		}
	}
	// Within 30 s of the last forced read: one token request a call, and no read.
	if time.Since(begin) < 30*time.Second {
		w.wantCalls(t, 2, 5, 4)
	}
}

// Ensure that a start with a wrong configuration fails and names every wrong variable.
func TestWrongConfiguration(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, map[string]string{"WORKFLOW_IDS": "kyc", "CALLER_AUTH": "basic", "DIDIT_API_URL": "http://didit.example.com"})
	if _, err := w.WaitReady(t.Context()); err == nil {
		t.Fatal("the function started")
	}
	for _, name := range []string{"WORKFLOW_IDS", "CALLER_AUTH", "DIDIT_API_URL"} {
		if !strings.Contains(string(w.Logs()), name) {
			t.Errorf("got logs %s, want %s named", w.Logs(), name)
		}
	}
}

package main

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"didit-sessions/internal/awsfake"
	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/lambdatest"
	"didit-sessions/internal/stage"
	"didit-sessions/internal/stage/stagetest"
)

func TestMain(m *testing.M) { stagetest.Main(m, "createsession") }

// kind is a kind of credentials with a version of Didit's API; the zero value is the default.
type kind struct{ name, secret, version string }

var kinds = []kind{
	{"bearer v2", stage.PairSecret, ""},
	{"bearer v3", stage.PairSecret, "v3"},
	{"api key v3", stage.KeySecret, ""},
	{"api key v2", stage.KeySecret, "v2"},
}

func (k kind) usesKey() bool { return strings.HasPrefix(k.name, "api key") }

// path is the session endpoint that the kind must use.
func (k kind) path() string { return "/" + k.name[len(k.name)-2:] + "/session/" }

func (k kind) world(t *testing.T, options lambdatest.Options) *world {
	t.Helper()
	env := map[string]string{"DIDIT_API_VERSION": k.version}
	maps.Copy(env, options.Env)
	options.Env = env
	w := newWorld(t, options)
	w.Secrets.Set(stage.SecretID, k.secret)
	return w
}

// world is the function without a table, with everything that it talks to.
type world struct {
	*stagetest.World
	tried int // reads of the secret while the function started
}

// reads is how often the secret was read since the function started.
func (w *world) reads() int { return w.Secrets.Calls("") - w.tried }

func newWorld(t *testing.T, options lambdatest.Options) *world {
	t.Helper()
	w := newIdle(t)
	w.startUnprepared(t, options)
	return w
}

// newIdle is a world whose function is not started yet.
func newIdle(t *testing.T) *world {
	t.Helper()
	return &world{World: stagetest.NewIdle(t)}
}

// startUnprepared starts the function and denies it the secret during init, so that the first
// invocation does all the work. Most tests begin this way.
func (w *world) startUnprepared(t *testing.T, options lambdatest.Options) {
	t.Helper()
	w.Secrets.Fail(awsfake.AccessDenied, awsfake.UntilCleared)
	w.start(t, options)
	// Other tests are about functions that fail to start.
	_, _ = w.WaitReady(t.Context())
	w.Secrets.ClearFaults()
	w.tried = w.Secrets.Calls("")
}

// start starts the function without a table.
func (w *world) start(t *testing.T, options lambdatest.Options) {
	t.Helper()
	env := map[string]string{"TABLE_NAME": ""}
	maps.Copy(env, options.Env)
	options.Env = env
	w.Start(t, options)
}

func event(t *testing.T, name string) []byte {
	t.Helper()
	return stagetest.Event(t, name)
}

// Ensure that each recorded payload gets the answer that its name promises.
func TestEvents(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name      string
		status    int    // of HTTP
		code      string // of a problem
		errorType string // of a direct invocation
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
				w := k.world(t, lambdatest.Options{Env: env})
				r := w.Call(t, event(t, test.name))
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
				if got := w.Didit.Count(didittest.OpCreate) == 0; got != refused {
					t.Errorf("Didit was asked %d times", w.Didit.Count(didittest.OpCreate))
				}
				if !refused && !strings.Contains(body, `"session_id"`) {
					t.Errorf("got %s, want a session", body)
				}
				if strings.Contains(body, `"url"`) != (!refused && test.name != "direct-full") {
					t.Errorf("got %s", body)
				}
				for _, request := range w.Didit.Requests() {
					if request.Op == didittest.OpCreate && (request.Path != k.path() || (request.AuthScheme == "x-api-key") != k.usesKey()) {
						t.Errorf("got a request to %s with %s", request.Path, request.AuthScheme)
					}
				}
			})
		}
	}
}

// Ensure that warm invocations read the secret and request a token once, and that a repeated
// request gets the same session.
func TestWarm(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lambdatest.Options{})
	ids := map[string]bool{}
	for range 20 {
		a, err := w.Call(t, event(t, "http-full")).HTTP()
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
	gotReads, gotTokens, gotCreates := w.reads(), w.Didit.Count(didittest.OpToken), w.Didit.Count(didittest.OpCreate)
	if gotReads != secretReads || gotTokens != tokens || gotCreates != creates {
		t.Errorf("got %d secret reads, %d token requests, %d creates; want %d, %d, %d\n%s",
			gotReads, gotTokens, gotCreates, secretReads, tokens, creates, w.Logs())
	}
}

// Ensure that a rotated secret costs one refused call and no failed answer, and that a permanently
// wrong secret is not read on every call.
func TestRotation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lambdatest.Options{})
	if r := w.Call(t, event(t, "direct-minimal")); r.Failed() {
		t.Fatal(r.ErrorMessage)
	}
	begin := time.Now()
	w.Didit.SetCredentials("new-id", "new-secret", "new-key")
	w.Secrets.Set(stage.SecretID, `{"client_id":"new-id","client_secret":"new-secret"}`)
	if r := w.Call(t, event(t, "direct-minimal")); r.Failed() {
		t.Fatal(r.ErrorMessage)
	}
	w.wantCalls(t, 2, 2, 3)

	w.Didit.SetCredentials("newer-id", "newer-secret", "newer-key")
	for range 3 {
		if r := w.Call(t, event(t, "direct-minimal")); r.ErrorType != "CredentialsRejected" {
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
	w := newWorld(t, lambdatest.Options{Env: map[string]string{"WORKFLOW_IDS": "kyc", "CALLER_AUTH": "basic", "DIDIT_API_URL": "http://didit.example.com"}})
	if _, err := w.WaitReady(t.Context()); err == nil {
		t.Fatal("the function started")
	}
	for _, name := range []string{"WORKFLOW_IDS", "CALLER_AUTH", "DIDIT_API_URL"} {
		if !strings.Contains(string(w.Logs()), name) {
			t.Errorf("got logs %s, want %s named", w.Logs(), name)
		}
	}
}

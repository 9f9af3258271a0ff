package main

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"

	"didit-sessions/internal/awsfake"
	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/lambdatest"
	"didit-sessions/internal/stage"
	"didit-sessions/internal/stage/stagetest"
)

func TestMain(m *testing.M) { stagetest.Main(m, "getdecision") }

const sessionID = "99999999-2222-3333-4444-555555555555" // of the recorded payload

// asked is the recorded payload, for another session.
func asked(t *testing.T, id string) []byte {
	t.Helper()
	return stagetest.Edit(t, stagetest.Event(t, "direct-decision"), func(e map[string]any) { e["session_id"] = id })
}

// atDidit returns the decision as Didit sends it.
func atDidit(t *testing.T, w *stagetest.World, version, id string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.Didit.URL()+"/"+version+"/session/"+id+"/decision/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Api-Key", didittest.DefaultAPIKey)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != 200 {
		t.Fatalf("the simulator answers %d, %v", answer.StatusCode, err)
	}
	return string(body)
}

// Ensure that the recorded payloads do what their names promise: the simulator does not know their
// session.
func TestEvents(t *testing.T) {
	t.Parallel()
	w := stagetest.New(t, lambdatest.Options{})
	for name, want := range map[string]string{"direct-decision": "SessionNotFound", "direct-refused": "InvalidRequest"} {
		if r := w.Call(t, stagetest.Event(t, name)); r.ErrorType != want {
			t.Errorf("%s: got %q %s, want %s", name, r.ErrorType, r.ErrorMessage, want)
		}
	}
}

// Ensure that Didit's decision comes back byte for byte, whatever the version and the status.
func TestDecision(t *testing.T) {
	t.Parallel()
	for version, secret := range map[string]string{"v2": stage.PairSecret, "v3": `{"api_key":"` + didittest.DefaultAPIKey + `"}`} {
		w := stagetest.New(t, lambdatest.Options{})
		w.Secrets.Set(stage.SecretID, secret)
		id := w.Session(t, "user-123")
		for _, status := range []string{"Not Started", "Approved", "Declined", "In Review"} {
			w.SetStatus(t, id, status)
			if r := w.Call(t, asked(t, strings.ToUpper(id))); string(r.Payload) != atDidit(t, w, version, id) || r.Failed() {
				t.Errorf("%s, %s: got %s", version, status, r.Payload)
			}
		}
		if w.Secrets.Calls("") != 1 || w.Table.Calls("") != 0 || w.Bus.Calls("") != 0 {
			t.Errorf("got %d reads of the secret, %d requests to the table, %d to the bus, want 1 and none", w.Secrets.Calls(""), w.Table.Calls(""), w.Bus.Calls(""))
		}
	}
}

// Ensure that numbers, escapes, order and white space stay as they are, and so do documents of up
// to 5 MB.
func TestDecision_bytes(t *testing.T) {
	t.Parallel()
	w := stagetest.New(t, lambdatest.Options{})
	const document = ` {"z": 1.0, "status":"Approved","a":118120836164494131264123456789012345678,"e":1E-05,"-":-0.0,
		"mrz":"I<ESP<&>","é":"\u00e9\/\ud83d\ude42\u2028","session_id":"99999999-2222-3333-4444-555555555555","z":[]}` + "\r\n"
	for size, want := range map[int]string{0: "", 1 << 20: "", 5 << 20: "", 5<<20 + 1: "DiditUnavailable", 6 << 20: "DiditUnavailable"} {
		w.Didit.Inject(didittest.Fault{On: didittest.OpDecision, Status: 200, Body: document, Size: size})
		r := w.Call(t, stagetest.Event(t, "direct-decision"))
		padded := document + strings.Repeat(" ", max(0, size-len(document)))
		if r.ErrorType != want || want == "" && string(r.Payload) != padded {
			t.Errorf("%d bytes: got %q and %d bytes that begin %.300q, want %q", size, r.ErrorType, len(r.Payload), r.Payload, want)
		}
		w.Didit.ClearFaults()
	}
}

// Ensure that each error is named, and that Didit gets no more requests than needed.
func TestFaults(t *testing.T) {
	t.Parallel()
	decision := func(status int, body string) didittest.Fault {
		return didittest.Fault{On: didittest.OpDecision, Status: status, Body: body}
	}
	for _, test := range []struct {
		name  string
		fault didittest.Fault
		want  string
		asked int
	}{
		{"404", didittest.NotFound.At(didittest.OpDecision), "SessionNotFound", 1},
		{"404, the other", didittest.SessionNotFound, "SessionNotFound", 1},
		{"429", didittest.ReadRateLimited, "Throttled", 1},
		{"500", didittest.ServerError.At(didittest.OpDecision), "DiditUnavailable", 2},
		{"500 once", didittest.ServerError.At(didittest.OpDecision).Once(), "", 2},
		{"HTML", didittest.HTMLPage.At(didittest.OpDecision), "DiditUnavailable", 2},
		{"cut off", didittest.Fault{On: didittest.OpDecision, Mode: didittest.ModeCutJSON}, "DiditUnavailable", 2},
		{"truncated once", didittest.Fault{On: didittest.OpDecision, Mode: didittest.ModeTruncated, Times: 1}, "", 2},
		{"reset once", didittest.Fault{On: didittest.OpDecision, Mode: didittest.ModeResetBefore, Times: 1}, "", 2},
		{"another session's", decision(200, `{"session_id":"11111111-1111-1111-1111-111111111111","status":"Approved"}`), "DiditUnavailable", 2},
		{"301", didittest.MovedPermanently.At(didittest.OpDecision), "InternalError", 1},
		{"403", didittest.Forbidden.At(didittest.OpDecision), "CredentialsRejected", 2},
		{"403 once", didittest.Forbidden.At(didittest.OpDecision).Once(), "", 2},
		{"token 401", didittest.InvalidClient, "CredentialsRejected", 0},
		{"token 500", didittest.ServerError.At(didittest.OpToken), "DiditUnavailable", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := stagetest.New(t, lambdatest.Options{})
			id := w.Session(t, "user-123")
			w.Didit.Inject(test.fault)
			r := w.Call(t, asked(t, id))
			if got := w.Didit.Count(didittest.OpDecision); r.ErrorType != test.want || got != test.asked {
				t.Errorf("got %q %s after %d questions, want %q after %d", r.ErrorType, r.ErrorMessage, got, test.want, test.asked)
			}
			if w.Didit.Count(didittest.OpOther) != 0 {
				t.Error("a redirect was followed")
			}
			w.Didit.ClearFaults()
			if r := w.Call(t, asked(t, id)); r.Failed() && test.want != "CredentialsRejected" {
				t.Errorf("after the fault: got %q", r.ErrorType)
			}
		})
	}
}

// Ensure that the error says what is wrong with the secret, and that calls succeed once it is
// fixed.
func TestSecretFaults(t *testing.T) {
	t.Parallel()
	w := stagetest.New(t, lambdatest.Options{Env: stagetest.OneAttempt})
	id := w.Session(t, "user-123")
	for fault, want := range map[awsfake.Fault]string{
		awsfake.Throttled: "BackendUnavailable", awsfake.Reset: "BackendUnavailable",
		awsfake.AccessDenied: "SecretUnavailable", awsfake.NotFound: "SecretUnavailable",
	} {
		w.Secrets.Fail(fault, 1)
		if r := w.Call(t, asked(t, id)); r.ErrorType != want {
			t.Errorf("fault %d: got %q %s, want %s", fault, r.ErrorType, r.ErrorMessage, want)
		}
	}
	if r := w.Call(t, asked(t, id)); r.Failed() {
		t.Errorf("after the repair: got %q", r.ErrorType)
	}
}

// Ensure that the error for bad input is named, and that HTTP payloads are refused.
func TestRefused(t *testing.T) {
	t.Parallel()
	w := stagetest.New(t, lambdatest.Options{})
	for payload, field := range map[string]string{
		`{}`: "session_id", `[]`: "", `null`: "", `{"session_id":null}`: "session_id", `{"session_id":7}`: "session_id", `{"session_id":"../x"}`: "session_id",
		`{"session_id":"` + sessionID + `","version":"v3"}`:                   "version",
		`{"session_id":"` + sessionID + `","session_id":"` + sessionID + `"}`: "session_id",
		`{"version":"2.0","requestContext":{"http":{"method":"GET"}}}`:        "",
	} {
		if r := w.Call(t, []byte(payload)); r.ErrorType != "InvalidRequest" || !strings.Contains(r.ErrorMessage, field) {
			t.Errorf("%s: got %q %s, want InvalidRequest that names %q", payload, r.ErrorType, r.ErrorMessage, field)
		}
	}
	if w.Didit.Count(didittest.OpAny) != 0 {
		t.Errorf("Didit was asked %d times", w.Didit.Count(didittest.OpAny))
	}
}

// Ensure that a start with a wrong configuration fails and names every wrong variable.
func TestWrongConfiguration(t *testing.T) {
	t.Parallel()
	w := stagetest.New(t, lambdatest.Options{Env: map[string]string{"DIDIT_SECRET_ID": "", "DIDIT_API_VERSION": "v1", "DIDIT_API_URL": "http://didit.example.com"}})
	if _, err := w.WaitReady(t.Context()); err == nil {
		t.Fatal("the function started")
	}
	for _, name := range []string{"DIDIT_SECRET_ID", "DIDIT_API_VERSION", "DIDIT_API_URL"} {
		if !strings.Contains(string(w.Logs()), name) {
			t.Errorf("got logs %s, want %s named", w.Logs(), name)
		}
	}
}

// Ensure that no part of a decision and no secret reaches a log or an error, whatever fails.
func TestLeaks(t *testing.T) {
	t.Parallel()
	env := map[string]string{"AWS_LAMBDA_LOG_LEVEL": "DEBUG"}
	maps.Copy(env, stagetest.OneAttempt)
	w := stagetest.New(t, lambdatest.Options{Env: env})
	w.Didit.SetCredentials("planted-id", "planted-secret", didittest.DefaultAPIKey)
	w.Secrets.Set(stage.SecretID, `{"client_id":"planted-id","client_secret":"planted-secret"}`)
	l := &stagetest.Leaks{World: w, Logged: []string{"planted", "Carmen", "Española", "CAA000000", "IDESP", "1980-01-01", "/session/", "Bearer ", "Basic "}}
	id := w.Session(t, "planted-user")
	w.SetStatus(t, id, "Approved")
	r := l.Call(t, "answered", asked(t, id))
	var decision struct {
		VendorData string `json:"vendor_data"`
	}
	if err := json.Unmarshal(r.Payload, &decision); err != nil || decision.VendorData != "planted-user" {
		t.Fatalf("got %s, want a decision with what must not be told", r.Payload)
	}
	for _, f := range []didittest.Fault{
		didittest.ServerError, didittest.ReadRateLimited, didittest.Forbidden, didittest.InvalidClientDescribed,
		{On: didittest.OpDecision, Mode: didittest.ModeCutJSON}, {On: didittest.OpDecision, Mode: didittest.ModeTruncated},
		{On: didittest.OpDecision, Status: 200, Body: `{"status":"planted\n","first_name":"planted"}`},
		{On: didittest.OpDecision, Status: 200, Body: `{"session_id":"planted","status":"Approved"}`},
		{On: didittest.OpDecision, Status: 200, Body: `{"status":"Approved","id_verification":{"first_name":"planted"}}`, Size: 6 << 20},
		{On: didittest.OpDecision, Status: 400, Body: `{"detail":"planted@example.com"}`},
		{On: didittest.OpDecision, Status: 302, Header: http.Header{"Location": {"https://planted.example.com"}}},
		{On: didittest.OpToken, Status: 200, Body: `{"access_token":"planted","expires_in":"planted"}`},
	} {
		w.Didit.RevokeTokens()
		w.Didit.Inject(f)
		l.Call(t, "fault", asked(t, id))
		w.Didit.ClearFaults()
	}
	for _, payload := range []string{`"planted"`, `{"session_id":"planted"}`, `{"session_id":{"a":"planted"}}`, `{"session_id":"planted`} {
		l.Call(t, "refused", []byte(payload))
	}
	for _, secret := range []string{"planted", `{"api_key":["planted"]}`} {
		fresh := stagetest.New(t, lambdatest.Options{})
		fresh.Secrets.Set(stage.SecretID, secret)
		(&stagetest.Leaks{World: fresh, Logged: l.Logged}).Call(t, "malformed secret", asked(t, id))
	}
	l.Done(t)
}

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	dt "didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/stage"
	"didit-sessions/internal/stage/stagetest"
	"didit-sessions/internal/verification"
)

const otherID = "99999999-2222-3333-4444-555555555555"

// signedIn is a request over HTTP with the claim, which is JSON, and the body.
func signedIn(t *testing.T, claim, body string) []byte {
	t.Helper()
	const sub = `"sub": "user-123"`
	var e map[string]any
	text := strings.Replace(string(event(t, "http-minimal")), sub, `"sub": `+claim, 1)
	if err := json.Unmarshal([]byte(text), &e); err != nil || !strings.Contains(string(event(t, "http-minimal")), sub) {
		t.Fatalf("%s: %v", claim, err)
	}
	quoted, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	i := strings.Index(text, `"body": "`)
	j := i + strings.Index(text[i:], "\n")
	return []byte(text[:i] + `"body": ` + string(quoted) + "," + text[j:])
}

// outcomes returns how a body ends on each door: over HTTP as "status code", and directly as the
// error's name, with all that the callers see.
func outcomes(t *testing.T, w *stagetest.World, body string) (http, direct, seen string) {
	t.Helper()
	a := w.HTTP(t, signedIn(t, `"user-123"`, body))
	var problem struct{ Code string }
	if err := json.Unmarshal(a.Body, &problem); err != nil {
		t.Fatalf("%s: %v", a.Body, err)
	}
	r := w.Call(t, []byte(strings.Replace(body, "{", `{"vendor_data":"user-123",`, 1)))
	return strings.TrimSpace(fmt.Sprint(a.Status, " ", problem.Code)), r.ErrorType, string(a.Body) + r.ErrorMessage + string(r.Payload)
}

// Ensure that nothing of a session reaches the caller that is another user's, at Didit or on
// record, or of another workflow, and that the log names that workflow.
func TestOtherSession(t *testing.T) {
	t.Parallel()
	const other = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
	answer := func(members string) dt.Fault {
		return create(201, `{"session_id":"`+otherID+`","session_token":"planted","url":"https://verify.didit.me/session/planted","status":"In Progress",`+members+`}`)
	}
	for _, test := range []struct {
		name      string
		fault     dt.Fault
		workflows string // WORKFLOW_IDS
		refused   string // on both doors; empty: handed out
		log       string
	}{
		{"own", answer(`"vendor_data":"user-123","workflow_id":"` + stage.Workflow + `"`), stage.Workflow, "", `"code":"created"`},
		{"another user's", answer(`"vendor_data":"USER-123","workflow_id":"` + stage.Workflow + `"`), stage.Workflow, "500 internal", "other vendor data"},
		{"another workflow", answer(`"vendor_data":"user-123","workflow_id":"` + other + `"`), stage.Workflow, "500 internal", "workflow " + other},
		{"any workflow, another user's", answer(`"vendor_data":"USER-123"`), "*", "500 internal", "other vendor data"},
		{"simulated: another user's", dt.Fault{On: dt.OpCreate, Mode: dt.ModeOtherVendorData}, stage.Workflow, "500 internal", "other vendor data"},
		{"simulated: another workflow", dt.Fault{On: dt.OpCreate, Mode: dt.ModeOtherWorkflow}, stage.Workflow, "500 internal", "workflow 0"},
		{"on record for another user", answer(`"vendor_data":"user-123","workflow_id":"` + stage.Workflow + `"`), stage.Workflow, "500 internal",
			otherID + ", which is on record for another end user"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := recording(t, map[string]string{"WORKFLOW_IDS": test.workflows})
			if strings.HasPrefix(test.name, "on record") {
				w.Add(t, verification.NewRecord(otherID, "user-124", stage.Workflow, "In Progress", time.Now()))
			}
			w.Didit.Inject(test.fault)
			overHTTP, direct, seen := outcomes(t, w, `{"workflow_id":"`+stage.Workflow+`"}`)
			wantHTTP, wantDirect := "201", ""
			if test.refused != "" {
				wantHTTP, wantDirect = test.refused, "InternalError"
			}
			if overHTTP != wantHTTP || direct != wantDirect {
				t.Errorf("got %q and %q, want %q and %q", overHTTP, direct, wantHTTP, wantDirect)
			}
			if logs := string(w.Logs()); !strings.Contains(logs, test.log) || strings.Contains(logs, `"level":"ERROR"`) != (test.refused != "") || strings.Contains(logs, "USER-123") {
				t.Errorf("got the log %s, want %q in it", logs, test.log)
			}
			if test.refused != "" && (strings.Contains(seen, otherID) || strings.Contains(seen, "planted") || strings.Contains(seen, "In Progress")) {
				t.Errorf("got %s, want nothing of the session", seen)
			}
			if r, found := w.Row(t, otherID); found && r.VendorData != "user-124" && test.refused != "" {
				t.Errorf("got a record of %q", r.VendorData)
			}
		})
	}
}

// Ensure that another workflow is a trusted caller's own matter where any is allowed, and no
// signed-in user's.
func TestOtherSession_anyWorkflow(t *testing.T) {
	t.Parallel()
	w := recording(t, map[string]string{"WORKFLOW_IDS": "*"})
	w.Didit.Inject(dt.Fault{On: dt.OpCreate, Mode: dt.ModeOtherWorkflow})
	overHTTP, direct, _ := outcomes(t, w, `{"workflow_id":"`+stage.Workflow+`"}`)
	if overHTTP != "500 internal" || direct != "" {
		t.Errorf("got %q and %q, want internal over HTTP and a session directly", overHTTP, direct)
	}
}

// Ensure that a claim that does not name one user is refused, and says why.
func TestPrincipals(t *testing.T) {
	t.Parallel()
	w := recording(t, nil)
	for claim, want := range map[string]string{
		`"user-123"`: "", `" user-123"`: "white space", `"user-123\u00a0"`: "white space", `"a\u0007"`: "control character", `"a\ud800"`: "U+FFFD", `"a\ufffd"`: "U+FFFD",
		`"[a]"`: "array", `" [a]"`: "array", `"map[roles:[a b]]"`: "array", `"{}"`: "array", `"` + strings.Repeat("x", 3000) + `"`: "2048 bytes", `7`: "not a string",
	} {
		a := w.HTTP(t, signedIn(t, claim, `{"workflow_id":"`+stage.Workflow+`"}`))
		if want == "" {
			if a.Status != http.StatusCreated {
				t.Errorf("%.40s: got %d %s, want a session", claim, a.Status, a.Body)
			}
		} else if a.Status != http.StatusUnauthorized || !strings.Contains(string(a.Body), want) {
			t.Errorf("%.40s: got %d %s, want 401 that says %q", claim, a.Status, a.Body, want)
		}
	}
	if got := len(w.Didit.Sessions()); got != 1 {
		t.Errorf("got %d sessions at Didit, want 1", got)
	}
}

// Ensure that no door takes a callback whose scheme means something else, or whose host is not in
// ASCII.
func TestCallbacks(t *testing.T) {
	t.Parallel()
	w := recording(t, nil)
	for _, callback := range []string{
		"ms-msdt:/id", "search-ms:query=x", "jar:https://example.com!/", "feed:javascript:alert(1)", "shell:startup", "mailto:a@example.com", "tel:1", "res://x", "mhtml:x", "view-source:https://example.com",
		"https://exampİe.com/verification", "https://mobİle.example.com/", "myapp://mobİle/",
	} {
		overHTTP, direct, _ := outcomes(t, w, `{"callback":"`+callback+`"}`)
		if overHTTP != "400 invalid_request" || direct != "InvalidRequest" {
			t.Errorf("%s: got %q and %q, want it refused", callback, overHTTP, direct)
		}
	}
	if got := w.Didit.Count(dt.OpCreate); got != 0 {
		t.Errorf("Didit was asked %d times, want none", got)
	}
}

// Ensure that a callback of our list that is not on an allowed domain of the application's is for
// the operator to fix, and another is for the caller.
func TestAllowedDomains(t *testing.T) {
	t.Parallel()
	w := recording(t, nil)
	if err := w.Didit.SetAllowedDomains([]string{"https://other.example"}); err != nil {
		t.Fatal(err)
	}
	overHTTP, direct, seen := outcomes(t, w, `{"callback":"https://app.example.com/verified"}`)
	if overHTTP != "500 internal" || direct != "InvalidRequest" || strings.Contains(seen, "allowed domains") {
		t.Errorf("got %q and %q: %s, want internal over HTTP and InvalidRequest directly", overHTTP, direct, seen)
	}
	if logs := string(w.Logs()); !strings.Contains(logs, "allowed domains") || !strings.Contains(logs, `"level":"ERROR"`) {
		t.Errorf("got the log %s, want it to name the allowed domains", logs)
	}
	if overHTTP, direct, _ := outcomes(t, w, `{"callback":"myapp://verified"}`); overHTTP != "201" || direct != "" {
		t.Errorf("an app's: got %q and %q, want sessions", overHTTP, direct)
	}
}

// Ensure that of a refusal only Didit's sentences reach the caller.
func TestRefusals(t *testing.T) {
	t.Parallel()
	const plan = "You need to have a paid plan to perform this workflow."
	for _, test := range []struct {
		name, body, want, wantSeen string
	}{
		{"plan", `{"detail":"` + plan + `","organization":"planted","owner":{"email":["planted words"]},"balance":"planted 12.30"}`, "502 plan_required", plan},
		{"credits", `{"error":"You don't have enough credits.","account":"planted words"}`, "502 insufficient_credits", "enough credits."},
		{"field", `{"language":["Bad language."],"internal_note":"planted words","language2":"planted"}`, "400 invalid_request", "Bad language."},
		{"none of ours", `{"organization":["planted words"]}`, "400 invalid_request", "named none of its fields"},
	} {
		w := recording(t, nil)
		w.Didit.Inject(create(400, test.body))
		got, _, seen := outcomes(t, w, `{"workflow_id":"`+stage.Workflow+`"}`)
		if got != test.want || !strings.Contains(seen, test.wantSeen) || strings.Contains(seen+string(w.Logs()), "planted") {
			t.Errorf("%s: got %q %s, want %q with %q and nothing else", test.name, got, seen, test.want, test.wantSeen)
		}
	}
}

package didittest

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

// Ensure the console loads nothing from elsewhere, and that its policy admits its own style and
// script alone.
func TestConsole_page(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{APIKey: "key-<of>-a-test", AppURL: "http://127.0.0.1:8080/"})
	page := r.do("GET", "/", "")
	nonce := regexp.MustCompile(`style-src 'nonce-([A-Z0-9]{26})'; script-src 'nonce-([A-Z0-9]{26})'`).
		FindStringSubmatch(page.header.Get("Content-Security-Policy"))
	if page.status != 200 || nonce == nil || nonce[1] != nonce[2] || strings.Count(page.body, `nonce="`+nonce[1]+`"`) != 2 {
		t.Fatalf("status %d, policy %q", page.status, page.header.Get("Content-Security-Policy"))
	}
	if strings.Contains(page.header.Get("Content-Security-Policy"), "unsafe") {
		t.Errorf("policy %q", page.header.Get("Content-Security-Policy"))
	}
	for _, part := range []string{" src=", " style=", "url(", "@import", "onclick", "<of>"} {
		if strings.Contains(page.body, part) {
			t.Errorf("page holds %s", part)
		}
	}
	for _, part := range []string{r.origin + "/simulator/faults", `href="http://127.0.0.1:8080/"`, "key-&lt;of&gt;-a-test", `"Kyc Expired"`} {
		if !strings.Contains(page.body, part) {
			t.Errorf("page lacks %s", part)
		}
	}
	if got := r.do("POST", "/", ""); got.status != 404 {
		t.Errorf("POST /: status %d, want Didit's 404", got.status)
	}
}

// Ensure the console's state has the newest sessions without what apps sent about people.
func TestConsole_state(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	for range maxConsole + 2 {
		if _, err := r.StartSession(workflow, ""); err != nil {
			t.Fatal(err)
		}
	}
	v := r.created(`{"workflow_id":"` + workflow + `","vendor_data":"u-1","language":"es","contact_details":{"email":"someone@example.com"}}`)
	r.Inject(RateLimited.Once())
	r.Misdeliver(SendTwice, 0)
	got := r.do("GET", "/simulator/console", "")
	var state struct {
		Sessions []struct {
			ID     string `json:"session_id"`
			Path   string
			Status string
		}
		Total  int
		Faults []struct{ Name string }
		Quirks []struct{ Quirk Quirk }
	}
	if err := json.Unmarshal([]byte(got.body), &state); err != nil || len(state.Sessions) != maxConsole || state.Total != maxConsole+3 {
		t.Fatalf("%v: got %d of %d sessions, want %d of %d", err, len(state.Sessions), state.Total, maxConsole, maxConsole+3)
	}
	if first := state.Sessions[0]; first.ID != v.SessionID || first.Path != "/es/session/"+v.SessionToken || first.Status != "Not Started" {
		t.Errorf("got first %+v", first)
	}
	if len(state.Faults) != 1 || state.Faults[0].Name != "rate_limited" || len(state.Quirks) != 1 || state.Quirks[0].Quirk != SendTwice {
		t.Errorf("got armed %+v, %+v", state.Faults, state.Quirks)
	}
	r.Inject(ServerError)
	r.Misdeliver(SendLate, 0)
	if got := r.do("DELETE", "/simulator/faults?name=rate_limited", ""); got.status != 200 || strings.Contains(got.body, "rate_limited") || !strings.Contains(got.body, "server_error") {
		t.Errorf("one fault disarmed: status %d, body %s", got.status, got.body)
	}
	if got := r.do("DELETE", "/simulator/webhook/quirks?quirk=twice", ""); got.status != 200 || strings.Contains(got.body, "twice") || !strings.Contains(got.body, "late") {
		t.Errorf("one quirk disarmed: status %d, body %s", got.status, got.body)
	}
	if strings.Contains(got.body, "someone@example.com") {
		t.Errorf("the state holds an e-mail address: %s", got.body)
	}
}

// Ensure a session of an earlier run is known by its id, once.
func TestServer_AddSession(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{WebhookURL: "http://127.0.0.1:1/none"})
	const id = "99999999-2222-3333-4444-5555555555AB"
	if err := r.AddSession(id, workflow, "u-1"); err != nil {
		t.Fatal(err)
	}
	got, ok := r.Session(strings.ToLower(id))
	if !ok || got.Status != "Not Started" || got.VendorData != "u-1" || got.WorkflowID != workflow {
		t.Errorf("got %+v, %v", got, ok)
	}
	if len(r.Deliveries()) > 0 || r.pending > 0 {
		t.Error("a webhook was sent")
	}
	for _, id := range []string{id, "x"} {
		if r.AddSession(id, workflow, "") == nil {
			t.Errorf("%s: got no error", id)
		}
	}
}

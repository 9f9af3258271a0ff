package main

import (
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"didit-sessions/internal/verification"
)

// Ensure that what the page sends is checked, and that what only it needs is under /local/.
func TestPage_requests(t *testing.T) {
	t.Parallel()
	s := startSystem(t, nil, io.Discard)
	const json = "application/json"
	for _, test := range []struct {
		name, method, path, contentType, body string
		status                                int
		want                                  string
	}{
		{"workflow", "POST", "/local/workflows", json, `{"user_id":"dave"}`, 201, `"state":"waiting"`},
		{"workflow without a user", "POST", "/local/workflows", json, `{}`, 400, "user_id is required"},
		{"workflow of a number", "POST", "/local/workflows", json, `{"user_id":1}`, 400, "not the JSON"},
		{"form of another origin", "POST", "/local/workflows", "text/plain", `{"user_id":"dave"}`, 415, "application/json"},
		{"over 4 KiB", "POST", "/local/workflows", json, `{"user_id":"` + strings.Repeat("x", 4<<10) + `"}`, 413, "4 KiB"},
		{"a user too long for Didit", "POST", "/local/workflows", json, `{"user_id":"` + strings.Repeat("x", 3<<10) + `"}`, 201, `"error":"InvalidRequest"`},
		{"webhooks", "POST", "/local/webhooks", json, `{"lost":false}`, 200, `{"lost":false}`},
		{"webhooks unsaid", "POST", "/local/webhooks", json, `{}`, 400, "lost is required"},
		{"webhooks by a form", "POST", "/local/webhooks", "", `{"lost":true}`, 415, "application/json"},
		{"state", "GET", "/local/state", "", "", 200, `"reconcile_after":60`},
		{"favicon", "GET", "/favicon.ico", "", "", 204, ""},
		{"unknown", "GET", "/local/sessions", "", "", 404, ""},
	} {
		response, body := do(t, test.method, s.url+test.path, "", test.contentType, test.body)
		if response.StatusCode != test.status || !strings.Contains(body, test.want) {
			t.Errorf("%s: got %d %.300s, want %d %s", test.name, response.StatusCode, body, test.status, test.want)
		}
	}
	response, _ := do(t, "GET", s.url+"/", "", "", "")
	if got := response.Header.Get("Content-Security-Policy"); !strings.HasPrefix(got, "default-src 'none'") {
		t.Errorf("policy of the page: got %q", got)
	}
}

func stateOf(t *testing.T, s *system) state {
	t.Helper()
	_, body := do(t, "GET", s.url+"/local/state", "", "", "")
	var now state
	if err := json.Unmarshal([]byte(body), &now); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return now
}

// Ensure that the page sees a lost webhook, and that a schedule heals it while a workflow waits.
func TestState_healed(t *testing.T) {
	t.Parallel()
	s := startOptions(t, options{getenv: env(nil), out: io.Discard, reconcileEvery: 5 * time.Millisecond, patience: patience})
	s.clock.stop() // nothing is due, and no record stale, before the test says so
	x := doJSON(t, "POST", s.url+"/local/workflows", "", `{"user_id":"dave"}`, 201)
	session := doJSON(t, "POST", s.url+"/sessions", "dave", `{}`, 200)
	if session.SessionID != x.SessionID {
		t.Errorf("the app got session %s, the workflow %s", session.SessionID, x.SessionID)
	}
	settle(t, s)
	doJSON(t, "POST", s.url+"/local/webhooks", "", `{"lost":true}`, 200)
	decide(t, session.URL, "Declined")
	settle(t, s)
	now := stateOf(t, s)
	if !now.WebhooksLost || now.Executions[0].State != "waiting" || now.Deliveries[0].Attempt != 0 || now.Deliveries[0].SessionStatus != "Declined" {
		t.Errorf("before: got %+v", now)
	}
	if a := doJSON(t, "GET", s.url+"/sessions/"+session.SessionID, "dave", "", 200); a.Status != "Not Started" {
		t.Errorf("before: got %v", a.Status)
	}
	s.clock.forward(2 * time.Minute)
	ended, err := s.workflows.wait(t.Context(), x.Name)
	if err != nil || ended.Output == nil || ended.Output.Outcome != "rejected" || *ended.Output.Status != "Declined" {
		t.Fatalf("got %+v, %v, want it rejected", ended, err)
	}
	settle(t, s)
	now = stateOf(t, s)
	if e := now.Events[0]; !e.Read || e.Status != "Declined" || e.SessionID != session.SessionID || e.DetailType != verification.DetailStatusUpdated {
		t.Errorf("after: got %+v", e)
	}
	if got := now.Executions[0]; got.State != "succeeded" || got.Name != x.Name {
		t.Errorf("after: got %+v", got)
	}
	doJSON(t, "POST", s.url+"/local/webhooks", "", `{"lost":false}`, 200)
	other := doJSON(t, "POST", s.url+"/sessions", "erin", `{}`, 201)
	settle(t, s)
	decide(t, other.URL, "Approved")
	settle(t, s)
	now = stateOf(t, s)
	if now.WebhooksLost || now.Deliveries[0].Status != 200 || now.Events[0].Read || now.Events[0].SessionID != other.SessionID {
		t.Errorf("webhooks arrive again: got %+v", now)
	}
}

// Ensure that the page gets the newest, however many there were.
func TestNewest(t *testing.T) {
	t.Parallel()
	var list []int
	for i := range 25 {
		list = append(list, i)
	}
	if got := newest(list); len(got) != maxShown || got[0] != 24 || got[maxShown-1] != 25-maxShown {
		t.Errorf("got %v", got)
	}
	if got := newest[int](nil); got == nil || len(got) != 0 {
		t.Errorf("of none: got %v, want an empty list", got)
	}
	if list[24] != 24 {
		t.Error("the list itself was changed")
	}
}

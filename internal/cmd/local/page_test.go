package main

import (
	"encoding/json"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"didit-sessions/internal/didit/didittest"
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
		{"clock", "POST", "/local/clock", json, `{"forward_seconds":60}`, 200, `{"now":"`},
		{"clock back", "POST", "/local/clock", json, `{"forward_seconds":-1}`, 400, "forward_seconds must be"},
		{"clock far ahead", "POST", "/local/clock", json, `{"forward_seconds":1e300}`, 400, "31 days"},
		{"clock by a form", "POST", "/local/clock", "", `{"forward_seconds":60}`, 415, "application/json"},
		{"webhooks", "POST", "/local/simulator/webhook/quirks", json, `{"quirk":"never","times":1}`, 201, `"never"`},
		{"webhooks by a form", "POST", "/local/simulator/webhook/quirks", "", `{"quirk":"never"}`, 400, "application/json"},
		{"Didit through the page", "POST", "/local/v3/session/", json, `{}`, 404, ""},
		{"state", "GET", "/local/state", "", "", 200, `"reconcile_after":60`},
		{"favicon", "GET", "/favicon.ico", "", "", 204, ""},
		{"unknown", "GET", "/local/sessions", "", "", 404, ""},
	} {
		response, body := do(t, test.method, s.url+test.path, "", test.contentType, test.body)
		if response.StatusCode != test.status || !strings.Contains(body, test.want) {
			t.Errorf("%s: got %d %.300s, want %d %s", test.name, response.StatusCode, body, test.status, test.want)
		}
	}
	response, page := do(t, "GET", s.url+"/", "", "", "")
	policy := response.Header.Get("Content-Security-Policy")
	nonce := regexp.MustCompile(`script-src 'nonce-([A-Z0-9]{26})'`).FindStringSubmatch(policy)
	if nonce == nil || !strings.HasPrefix(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") || strings.Count(page, `nonce="`+nonce[1]+`"`) != 2 {
		t.Errorf("policy of the page: got %q", policy)
	}
	for _, part := range []string{" src=\"", " style=\"", "url(", "@import", "onclick", "page.css", "page.js", "SIMULATOR_URL"} {
		if strings.Contains(page, part) {
			t.Errorf("the page holds %s", part)
		}
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

// latest returns the newest hop of a kind.
func latest(t *testing.T, s *system, kind string) hop {
	t.Helper()
	for _, h := range slices.Backward(stateOf(t, s).Hops) {
		if h.Kind == kind {
			return h
		}
	}
	t.Fatalf("there is no hop of kind %s", kind)
	return hop{}
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
	s.simulator.Misdeliver(didittest.SendNever, 0)
	decide(t, session.URL, "Declined")
	settle(t, s)
	if h := latest(t, s, "webhook"); h.Result != "lost" || h.Title != "status.updated: Declined" || h.SessionID != session.SessionID {
		t.Errorf("before: got %+v", h)
	}
	if shown := stateOf(t, s).Sessions[0]; shown.AtDidit != "Declined" || shown.Status != "Not Started" || shown.Tasks != 1 || shown.DueFrom == nil {
		t.Errorf("before: got %+v", shown)
	}
	if a := doJSON(t, "GET", s.url+"/sessions/"+session.SessionID, "dave", "", 200); a.Status != "Not Started" {
		t.Errorf("before: got %v", a.Status)
	}
	doJSON(t, "POST", s.url+"/local/clock", "", `{"forward_seconds":120}`, 200)
	ended, err := s.workflows.wait(t.Context(), x.Name)
	if err != nil || ended.Output == nil || ended.Output.Outcome != "rejected" || *ended.Output.Status != "Declined" {
		t.Fatalf("got %+v, %v, want it rejected", ended, err)
	}
	settle(t, s)
	if e := latest(t, s, "event"); !strings.HasPrefix(e.Note, "read from Didit") || e.Result != "Declined" || e.SessionID != session.SessionID {
		t.Errorf("after: got %+v", e)
	}
	if h := latest(t, s, "task"); h.Result != "rejected" || h.Title != x.Name || h.SessionID != session.SessionID {
		t.Errorf("after: got %+v", h)
	}
	s.simulator.ClearQuirks()
	other := doJSON(t, "POST", s.url+"/sessions", "erin", `{}`, 201)
	settle(t, s)
	decide(t, other.URL, "Approved")
	settle(t, s)
	if h, e := latest(t, s, "webhook"), latest(t, s, "event"); h.Result != "200" || e.Note != "" || e.SessionID != other.SessionID {
		t.Errorf("webhooks arrive again: got %+v, %+v", h, e)
	}
}

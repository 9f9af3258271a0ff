package main

import (
	"io"
	"strings"
	"testing"

	"didit-sessions/internal/verification"
)

// Ensure that a session that an app started at Didit itself, with alice's vendor data, is none of
// hers: its genuine Approved is Unrecorded, and a session that Didit returns for another user or
// workflow is not handed out.
func TestSystem_otherSessions(t *testing.T) {
	t.Parallel()
	s := startSystem(t, nil, io.Discard)
	own := doJSON(t, "POST", s.url+"/sessions", "alice", `{}`, 201)
	decide(t, own.URL, "Declined")
	settle(t, s) // deliveries of different sessions have no order
	foreign, err := s.simulator.StartSession("11111111-2222-3333-4444-555555555555", "alice")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.simulator.SetStatus(foreign.ID, "Approved"); err != nil {
		t.Fatal(err)
	}
	settle(t, s)
	if e := latest(t, s, "event"); e.SessionID != foreign.ID || e.Result != "Approved" || e.Title != verification.DetailUnrecordedUpdate {
		t.Errorf("got event %+v, want %s", e, verification.DetailUnrecordedUpdate)
	}
	if shown := stateOf(t, s).Sessions[0]; shown.ID != foreign.ID || shown.Recorded || shown.AtDidit != "Approved" {
		t.Errorf("got session %+v, want it not on record", shown)
	}
	doJSON(t, "GET", s.url+"/sessions/"+foreign.ID, "alice", "", 404)
	if _, list := do(t, "GET", s.url+"/sessions", "Bearer alice", "", ""); strings.Contains(list, foreign.ID) || !strings.Contains(list, own.SessionID) {
		t.Errorf("got list %s, want alice's own session alone", list)
	}
	for _, name := range []string{"other_vendor_data", "other_workflow"} {
		response, body := do(t, "POST", s.url+"/sessions", "Bearer bob", "application/json", `{"metadata":{"simulate":"`+name+`"}}`)
		if response.StatusCode != 500 || !strings.Contains(body, `"code":"internal"`) || strings.Contains(body, "session_token") {
			t.Errorf("%s: got %d %s, want internal and no session", name, response.StatusCode, body)
		}
	}
	if err := s.simulator.SetAllowedDomains([]string{"https://other.example"}); err != nil {
		t.Fatal(err)
	}
	doJSON(t, "POST", s.url+"/sessions", "carol", `{"callback":"https://app.example.com/verified"}`, 500)
	doJSON(t, "POST", s.url+"/sessions", "carol", `{"callback":"myapp://verified"}`, 201)
}

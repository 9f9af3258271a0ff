package main

import (
	"io"
	"strings"
	"testing"

	"didit-sessions/internal/verification"
)

// Ensure that a user can be erased on the local system, whose workflow ends, whose session is gone
// from Didit and from the API, and who may begin anew.
func TestErase(t *testing.T) {
	t.Parallel()
	s := startSystem(t, nil, io.Discard)
	x := doJSON(t, "POST", s.url+"/local/workflows", "", `{"user_id":"dave"}`, 201)
	session := doJSON(t, "POST", s.url+"/sessions", "dave", `{}`, 200)
	settle(t, s)
	response, body := do(t, "POST", s.url+"/local/erase", "", "application/json", `{"vendor_data":"dave"}`)
	if response.StatusCode != 200 || body != `{"sessions":1,"deleted":1,"user_deleted":true}` {
		t.Fatalf("got %d %s", response.StatusCode, body)
	}
	ended, err := s.workflows.wait(t.Context(), x.Name)
	if err != nil || ended.Output == nil || ended.Output.Outcome != "not_finished" || ended.Output.Status != nil {
		t.Errorf("the workflow: got %+v, error %v", ended.Output, err)
	}
	doJSON(t, "GET", s.url+"/sessions/"+session.SessionID, "dave", "", 404)
	if left, _ := s.simulator.Session(session.SessionID); !left.Deleted || len(s.simulator.Users()) > 0 {
		t.Errorf("Didit has the session %v and the users %q", !left.Deleted, s.simulator.Users())
	}
	if e := latest(t, s, "event"); e.Title != verification.DetailUserErased || e.Result != "erased" || e.Note != "" {
		t.Errorf("got %+v, want the event about the user", e)
	}
	if shown := stateOf(t, s).Sessions[0]; shown.AtDidit != "Deleted" || shown.Recorded || shown.VendorData != "" {
		t.Errorf("the page shows %+v, want a deleted session of no user", shown)
	}
	if next := doJSON(t, "POST", s.url+"/sessions", "dave", `{}`, 201); next.SessionID == session.SessionID {
		t.Error("the erased session was handed out again")
	}
	response, body = do(t, "POST", s.url+"/local/erase", "", "application/json", `{"vendor_data":""}`)
	if response.StatusCode != 502 || !strings.Contains(body, `"errorType":"InvalidRequest"`) {
		t.Errorf("without an id: got %d %s", response.StatusCode, body)
	}
}

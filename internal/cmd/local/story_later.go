package main

import (
	"net/http"
	"strings"
	"time"

	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/verification"
)

// change sets a status at Didit, as a reviewer does, a day after the step before.
func (t *teller) change(sessionID, status string) {
	t.system.clock.forward(24 * time.Hour)
	err := t.system.simulator.SetStatus(sessionID, status)
	t.check(err == nil, "%w", err)
}

func (t *teller) receiveLate() string {
	t.system.simulator.Misdeliver(didittest.SendLate, 1)
	t.change(t.reviewed.SessionID, "Resubmitted")
	t.change(t.reviewed.SessionID, "Approved")
	t.settle()
	t.get("heidi", t.reviewed, "Approved", "verified")
	return "heidi resubmits and is approved, and the older webhook arrives last: 200 Approved, next verified, not taken back"
}

func (t *teller) withdraw() string {
	t.change(t.daveSession.SessionID, "Declined")
	t.settle()
	t.get("dave", t.daveSession, "Declined", "rejected")
	events := t.system.bus.Published()
	last := events[len(events)-1]
	t.check(last.SessionID == t.daveSession.SessionID && last.Status == verification.StatusDeclined, "the last event is %s", last.Status)
	return "a reviewer withdraws dave's approval days later: an event, 200 Declined, next rejected"
}

func (t *teller) ignoreUnrecorded() string {
	foreign, err := t.system.simulator.StartSession(t.system.settings.create.Policy.WorkflowIDs[0], "alice")
	t.check(err == nil, "%w", err)
	t.change(foreign.ID, "Approved")
	t.settle()
	events := t.system.bus.Published()
	last := events[len(events)-1]
	t.check(last.DetailType() == verification.DetailUnrecordedUpdate, "the event's type is %s", last.DetailType())
	t.ask(http.StatusNotFound, "not_found", "alice", http.MethodGet, "/sessions/"+foreign.ID, "")
	list := t.ask(http.StatusOK, "", "alice", http.MethodGet, "/sessions", "")
	t.check(!strings.Contains(list.text, foreign.ID), "the session is in alice's list")
	return "a session that this backend never created is approved in alice's name: its event is Unrecorded, GET 404"
}

func (t *teller) forget() string {
	const body = `{"vendor_data":"heidi"}`
	header := map[string]string{"Content-Type": "application/json"}
	a := t.send(http.MethodPost, t.system.url+"/local/erase", header, body)
	t.check(strings.Contains(a.text, `"deleted":1,"user_deleted":true`), "eraseuser returned %s", a.text)
	t.settle()
	events := t.system.bus.Published()
	last := events[len(events)-1]
	t.check(last.DetailType() == verification.DetailUserErased, "the event's type is %s", last.DetailType())
	t.ask(http.StatusNotFound, "not_found", "heidi", http.MethodGet, "/sessions/"+t.reviewed.SessionID, "")
	return "heidi wants to be forgotten: eraseuser deletes her at Didit and here, an event says so, GET 404"
}

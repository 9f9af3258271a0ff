package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"didit-sessions/internal/didit"
	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/verification"
)

func (t *teller) readNotStarted() string {
	a := t.get("alice", t.session, "Not Started", "verify")
	t.check(a.retryAfter != "", "got no Retry-After")
	return "alice's app reads her session: 200 Not Started, next verify, Retry-After " + a.retryAfter
}

func (t *teller) readForeign() string {
	foreign := t.ask(404, "not_found", "bob", http.MethodGet, "/sessions/"+t.session.SessionID, "")
	unknown := t.ask(404, "not_found", "bob", http.MethodGet, "/sessions/11111111-1111-4111-8111-111111111111", "")
	t.check(withoutRequestID(foreign.text) == withoutRequestID(unknown.text),
		"the answers for a foreign and for an unknown session differ")
	return "bob reads alice's session: 404 not_found, the same answer as for an unknown one"
}

// withoutRequestID returns a problem without the one member that differs between any two.
func withoutRequestID(problem string) string {
	before, rest, _ := strings.Cut(problem, `"request_id":"`)
	_, after, _ := strings.Cut(rest, `"`)
	return before + after
}

func (t *teller) forgeWebhook() string {
	body := fmt.Sprintf(`{"session_id":%q,"status":"Approved","webhook_type":"status.updated","timestamp":%d}`,
		t.session.SessionID, t.system.clock.now().Unix())
	hook := t.system.url + "/webhooks/didit"
	t.expect(401, "unauthenticated", http.MethodPost, hook, nil, body)
	signature, _, err := didit.SignWebhook([]byte(body), "a guess")
	t.check(err == nil, "%w", err)
	t.expect(404, "signature_mismatch", http.MethodPost, hook, map[string]string{"X-Signature": signature}, body)
	t.get("alice", t.session, "Not Started", "verify")
	return "an attacker forges a webhook that approves her: unsigned 401, with a guessed signature 404; " +
		"she is still Not Started"
}

func (t *teller) approve() string {
	t.decide(t.session, "Approved")
	t.settle()
	t.accepted(t.delivery("Approved"))
	return "alice verifies herself on the page behind the URL: Didit's signed webhook arrives, 200"
}

// accepted fails the step unless the delivery was answered with 200.
func (t *teller) accepted(d didittest.Delivery) {
	t.check(d.Status == http.StatusOK, "the webhook was answered with %d %s", d.Status, d.Problem)
}

// delivery returns the last attempt to deliver a status of alice's.
func (t *teller) delivery(status string) didittest.Delivery {
	for _, d := range slices.Backward(t.system.simulator.Deliveries()) {
		if d.SessionID == t.session.SessionID && d.SessionStatus == status {
			return d
		}
	}
	t.check(false, "no webhook was sent")
	return didittest.Delivery{}
}

// approvals returns the events on the bus by which a session was approved.
func (t *teller) approvals(session reply) []verification.Event {
	return slices.DeleteFunc(t.system.bus.Published(), func(e verification.Event) bool {
		return e.SessionID != session.SessionID || e.Status != verification.StatusApproved
	})
}

func (t *teller) checkEvent() string {
	events := t.approvals(t.session)
	if t.check(len(events) == 1, "got %d events, want 1", len(events)); t.err != nil {
		return ""
	}
	e := events[0]
	t.check(e.DetailType() == verification.DetailStatusUpdated, "got an event of type %q", e.DetailType())
	detail, err := verification.EncodeDetail(e)
	t.check(err == nil, "%w", err)
	// The simulator's decisions are about one Carmen.
	t.check(!strings.Contains(string(detail), "Carmen"), "the event holds personal data")
	var checks []string
	for _, check := range e.Checks {
		checks = append(checks, check.Feature)
	}
	return fmt.Sprintf("the bus carries %q: Approved, with the checks %s and no document data",
		e.DetailType(), strings.Join(checks, ", "))
}

func (t *teller) readApproved() string {
	t.approved = t.get("alice", t.session, "Approved", "verified")
	t.check(t.approved.retryAfter == "", "got a Retry-After for a finished session")
	return "alice's app reads her session again: 200 Approved, next verified"
}

func (t *teller) listSessions() string {
	a := t.ask(200, "", "alice", http.MethodGet, "/sessions", "")
	t.check(len(a.Sessions) == 1 && a.Sessions[0].Next == "verified",
		"got %d sessions, want the verified one", len(a.Sessions))
	return "alice installs the app again, and it lists her sessions: 200, the verified one"
}

func (t *teller) deliverAgain() string {
	t.system.clock.forward(time.Second)
	again, err := t.system.simulator.Resend(t.delivery("Approved").EventID)
	t.check(err == nil, "%w", err)
	t.accepted(again)
	t.settle()
	a := t.get("alice", t.session, "Approved", "verified")
	t.check(a.text == t.approved.text, "GET returns something else than before")
	events := t.approvals(t.session)
	t.check(len(events) == 2 && events[0].ID == events[1].ID, "the events differ in their id")
	return "Didit delivers the same webhook again: 200, the same event_id, nothing changes"
}

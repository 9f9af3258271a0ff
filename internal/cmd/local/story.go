package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"didit-sessions/internal/didit"
	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/verification"
)

func (t *teller) createFirst() string {
	t.session = t.create(201, "", "alice", `{"metadata":{"plan":"premium"}}`)
	return "alice creates a session: 201, session " + t.session.SessionID + ", with its URL"
}

func (t *teller) createAgain() string {
	t.createSame()
	a := t.ask(200, "", "alice", http.MethodPost, "/sessions?qr=svg", `{}`)
	t.check(a.SessionID == t.session.SessionID && strings.HasPrefix(a.QR, "data:image/svg+xml"), "got no QR code")
	return "alice creates one again before she has finished: 200, the same session, as a QR code for her phone if she asks"
}

// createSame creates a session for alice, which must be her first one.
func (t *teller) createSame() {
	a := t.create(200, "", "alice", `{}`)
	t.check(a.SessionID == t.session.SessionID, "got session %s, want %s", a.SessionID, t.session.SessionID)
}

func (t *teller) createForOther() string {
	t.create(403, "vendor_data_mismatch", "bob", `{"vendor_data":"alice"}`)
	return "bob tries to create a session for alice: 403 vendor_data_mismatch"
}

func (t *teller) createUnsigned() string {
	t.create(401, "", "", `{}`)
	return "a request comes without a token: 401, from the gateway itself"
}

func (t *teller) createInvalid() string {
	a := t.create(400, "invalid_request", "alice",
		`{"contact_details":{"phone":"4155552671"},"expected_details":{"country":"ES"}}`)
	t.check(len(a.Errors) == 2, "got %d field errors, want 2", len(a.Errors))
	line := "two fields are wrong: 400 invalid_request"
	for _, e := range a.Errors {
		line += "; " + e.Field + ": " + strings.TrimSuffix(e.Message, ".")
	}
	return line
}

func (t *teller) createDuringOutage() string {
	t.system.simulator.Inject(didittest.Fault{On: didittest.OpAny, Status: http.StatusServiceUnavailable})
	a := t.create(503, "didit_unavailable", "alice", `{}`)
	return "Didit is down: 503 didit_unavailable, Retry-After " + a.retryAfter
}

func (t *teller) createAfterOutage() string {
	t.system.simulator.ClearFaults()
	t.createSame()
	return "Didit is back: 200, still the same session, nothing was paid twice"
}

func (t *teller) createAfterRotation() string {
	t.system.simulator.SetCredentials("new-client-id", "new-client-secret", "")
	t.system.vault.setCredentials("new-client-id", "new-client-secret")
	t.create(201, "", "carol", `{}`)
	return "the operator rotates the credentials: carol gets 201; the refused token was replaced within her call"
}

// createStanding creates a session for a user who needs none, and gets the one that stands.
func (t *teller) createStanding(code, user string, session reply, status, next string) {
	before := t.system.simulator.Count(didittest.OpCreate)
	a := t.create(409, code, user, `{}`)
	t.check(a.SessionID == session.SessionID && a.Standing == status && a.Next == next,
		"got %s, %s, next %s, want %s, %s, next %s", a.SessionID, a.Standing, a.Next, session.SessionID, status, next)
	t.check(t.system.simulator.Count(didittest.OpCreate) == before, "Didit was asked")
}

func (t *teller) createNeedless() string {
	t.createStanding("already_verified", "alice", t.session, "Approved", "verified")
	return "alice creates a session although she is verified: 409 already_verified with her session, next verified; " +
		"Didit is not asked, and nothing is paid twice"
}

func (t *teller) createInReview() string {
	t.reviewed = t.create(201, "", "heidi", `{}`)
	t.decide(t.reviewed, "In Review")
	t.settle()
	t.createStanding("in_review", "heidi", t.reviewed, "In Review", "wait")
	return "heidi's session is in review when she asks for another one: 409 in_review, next wait"
}

func (t *teller) createTooMany() string {
	limit := t.system.settings.create.Policy.SessionsPerDay
	for range limit {
		t.decide(t.create(201, "", "ivan", `{}`), "Declined")
		t.settle()
	}
	a := t.create(429, "too_many_sessions", "ivan", `{}`)
	return fmt.Sprintf("ivan is declined %d times in a day, as often as SESSIONS_PER_DAY allows here: 429 too_many_sessions, Retry-After %s", limit, a.retryAfter)
}

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

// startFor starts a workflow for a user, and gets the session's URL as the user's app does.
func (t *teller) startFor(user string) (x execution, session reply) {
	input, _ := json.Marshal(map[string]string{"user_id": user})
	a := t.ask(201, "", "", http.MethodPost, "/local/workflows", string(input))
	err := json.Unmarshal([]byte(a.text), &x)
	t.check(err == nil, "%w", err)
	t.check(x.State == "waiting" && a.URL == "",
		"the workflow is %s %s, want it waiting and without a URL", x.State, x.Error)
	session = t.create(200, "", user, `{}`)
	t.check(session.SessionID == x.SessionID, "the app got another session than the workflow")
	return x, session
}

// expectOutcome waits for the workflow's end, which must have this outcome.
func (t *teller) expectOutcome(x execution, outcome string) {
	if t.err != nil {
		return
	}
	x, err := t.system.workflows.wait(t.ctx, x.Name)
	t.check(err == nil, "%w", err)
	t.check(x.Output != nil && x.Output.Outcome == outcome,
		"the workflow %s %s, want the outcome %s", x.State, x.Error, outcome)
}

func (t *teller) startWorkflow() string {
	t.dave, t.daveSession = t.startFor("dave")
	return "a workflow creates dave's session without keeping its URL, and waits; " +
		"dave's app gets the URL: 200, the same session"
}

func (t *teller) releaseWorkflow() string {
	t.decide(t.daveSession, "Approved")
	t.expectOutcome(t.dave, "verified")
	return "dave is approved: the webhook releases the workflow, outcome verified"
}

func (t *teller) declineWorkflow() string {
	x, session := t.startFor("erin")
	t.decide(session, "Declined")
	t.expectOutcome(x, "rejected")
	t.get("erin", session, "Declined", "rejected")
	return "erin is declined: her workflow ends with outcome rejected, and GET returns next rejected"
}

// approveUnheard approves a session whose webhook is lost.
func (t *teller) approveUnheard(session reply) {
	t.settle()
	t.system.simulator.Misdeliver(didittest.SendNever, 1)
	t.decide(session, "Approved")
	t.settle()
}

func (t *teller) healByGet() string {
	session := t.create(200, "", "carol", `{}`)
	t.approveUnheard(session)
	t.get("carol", session, "Not Started", "verify")
	t.system.clock.forward(2 * time.Minute)
	t.get("carol", session, "Approved", "verified")
	t.check(len(t.approvals(session)) == 1, "no event was published")
	return "carol's webhook is lost: GET returns Not Started; two minutes later it asks Didit, returns Approved, " +
		"and publishes the event"
}

func (t *teller) healByReconcile() string {
	x, session := t.startFor("frank")
	t.approveUnheard(session)
	t.system.clock.forward(2 * time.Minute)
	_, err := t.system.functions.reconcile.Invoke(t.ctx, []byte("{}"))
	t.check(err == nil, "%w", err)
	t.expectOutcome(x, "verified")
	return "frank's webhook is lost and his app never asks: reconcile does, and releases his workflow, outcome verified"
}

func (t *teller) readDuringOutage() string {
	session := t.create(201, "", "grace", `{}`)
	t.settle()
	t.system.clock.forward(2 * time.Minute)
	before := t.system.simulator.Count(didittest.OpDecision)
	t.system.simulator.Inject(didittest.Fault{On: didittest.OpAny, Status: http.StatusServiceUnavailable})
	defer t.system.simulator.ClearFaults()
	t.get("grace", session, "Not Started", "verify")
	t.check(t.system.simulator.Count(didittest.OpDecision) > before, "Didit was not asked")
	return "Didit is down while grace's app reads her session: 200, with the status on record"
}

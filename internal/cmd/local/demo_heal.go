package main

import (
	"encoding/json"
	"net/http"
	"time"

	"didit-sessions/internal/didit/didittest"
)

// startFor starts a workflow for a user, and gets the session's URL as the user's app does.
func (t *teller) startFor(user string) (x execution, session reply) {
	input, _ := json.Marshal(map[string]string{"user_id": user})
	a := t.ask(201, "", "", http.MethodPost, "/local/workflows", string(input))
	err := json.Unmarshal([]byte(a.text), &x)
	t.check(err == nil, "%w", err)
	t.check(x.State == "waiting" && a.URL == "",
		"the workflow is %s %s, want it waiting and without a URL", x.State, x.Error)
	session = t.create(201, "", user, `{}`)
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
		"dave's app gets the URL: 201, the same session"
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
	session := t.create(201, "", "carol", `{}`)
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

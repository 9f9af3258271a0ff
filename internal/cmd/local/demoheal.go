package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"didit-sessions/internal/didit/didittest"
)

// workflow starts one that waits, and asks for the URL as the user's app does.
func (t *teller) workflow(user string) (x execution, session reply, err error) {
	input, _ := json.Marshal(map[string]string{"user_id": user})
	a, err := t.ask("", http.MethodPost, "/local/workflows", string(input))
	if err = a.expect(err, 201, ""); err != nil {
		return x, reply{}, err
	}
	if err := json.Unmarshal([]byte(a.text), &x); err != nil {
		return x, reply{}, err
	}
	if x.State != "waiting" || a.URL != "" {
		return x, reply{}, fmt.Errorf("the workflow is %s %s, want it waiting and without a URL", x.State, x.Error)
	}
	session, err = t.create(201, "", user, `{}`)
	if err == nil && session.SessionID != x.SessionID {
		err = errors.New("the app got another session than the workflow")
	}
	return x, session, err
}

// ended waits for the workflow's end, and fails unless the outcome is this.
func (t *teller) ended(x execution, outcome string) error {
	ctx, cancel := context.WithTimeout(t.ctx, patience)
	defer cancel()
	x, err := t.system.workflows.wait(ctx, x.Name)
	if err == nil && (x.Output == nil || x.Output.Outcome != outcome) {
		err = fmt.Errorf("the workflow %s %s, want the outcome %s", x.State, x.Error, outcome)
	}
	return err
}

func (t *teller) waiting() (string, error) {
	var err error
	t.dave, t.daveSession, err = t.workflow("dave")
	return "a workflow creates dave's session, gets no URL to keep, and waits; dave's app asks for it: 201, the same session", err
}

func (t *teller) released() (string, error) {
	err := t.decide(t.daveSession, "Approved")
	if err == nil {
		err = t.ended(t.dave, "verified")
	}
	return "dave is approved: the webhook releases the workflow, outcome verified", err
}

func (t *teller) declined() (string, error) {
	x, session, err := t.workflow("erin")
	if err == nil {
		err = t.decide(session, "Declined")
	}
	if err == nil {
		err = t.ended(x, "rejected")
	}
	if err == nil {
		_, err = t.get("erin", session.SessionID, "Declined", "rejected")
	}
	return "erin is declined: her workflow ends with outcome rejected, and GET says next rejected", err
}

// approvedUnheard approves a session whose webhook gets lost.
func (t *teller) approvedUnheard(session reply) error {
	if err := t.settle(); err != nil {
		return err
	}
	t.system.simulator.Misdeliver(didittest.SendNever, 1)
	return errors.Join(t.decide(session, "Approved"), t.settle())
}

func (t *teller) healedByGet() (string, error) {
	session, err := t.create(201, "", "carol", `{}`)
	if err == nil {
		err = t.approvedUnheard(session)
	}
	if err == nil {
		_, err = t.get("carol", session.SessionID, "Not Started", "verify")
	}
	if err != nil {
		return "", err
	}
	t.system.clock.forward(2 * time.Minute)
	_, err = t.get("carol", session.SessionID, "Approved", "verified")
	if err == nil && len(t.events(session.SessionID, "Approved")) != 1 {
		err = errors.New("the bus was not told")
	}
	return "carol's webhook gets lost: GET says Not Started; two minutes later it asks Didit, says Approved, and tells the bus", err
}

func (t *teller) healedByReconcile() (string, error) {
	x, session, err := t.workflow("frank")
	if err == nil {
		err = t.approvedUnheard(session)
	}
	if err != nil {
		return "", err
	}
	t.system.clock.forward(2 * time.Minute)
	ctx, cancel := context.WithTimeout(t.ctx, patience)
	defer cancel()
	if _, err = t.system.functions.reconcile.Invoke(ctx, []byte("{}")); err == nil {
		err = t.ended(x, "verified")
	}
	return "frank's webhook gets lost and nobody asks: reconcile does, and releases his workflow, outcome verified", err
}

func (t *teller) servedAsItIs() (string, error) {
	session, err := t.create(201, "", "grace", `{}`)
	if err == nil {
		err = t.settle()
	}
	if err != nil {
		return "", err
	}
	t.system.clock.forward(2 * time.Minute)
	before := t.system.simulator.Count(didittest.OpDecision)
	t.system.simulator.Inject(didittest.Fault{On: didittest.OpAny, Status: http.StatusServiceUnavailable})
	defer t.system.simulator.ClearFaults()
	_, err = t.get("grace", session.SessionID, "Not Started", "verify")
	if err == nil && t.system.simulator.Count(didittest.OpDecision) == before {
		err = errors.New("nobody asked Didit")
	}
	return "Didit is down while grace's app asks: 200 all the same, with the status on record", err
}

package verification

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"didit-sessions/internal/didit"
)

// Provider creates sessions at Didit; [*didit.Client] implements it.
type Provider interface {
	// CreateSession creates a session, or gets the unfinished one of the same vendor data. It
	// returns a [*didit.Error], or the [*Error] of the source of the credentials.
	CreateSession(ctx context.Context, r didit.SessionRequest) (didit.Session, error)
}

// Decisions reads decisions at Didit; [*didit.Client] implements it.
type Decisions interface {
	// Decision reads the decision document of a session. It returns errors as [Provider] does.
	Decision(ctx context.Context, sessionID string) (didit.Decision, error)
}

// Didit's types that the domain uses as they are. All but Check print without personal data, which
// Check does not have.
type (
	Session      = didit.Session      // a session as Didit returned it
	WebhookEvent = didit.WebhookEvent // an event whose signature was verified
	Check        = didit.Check        // the result of one part of a verification
)

// request returns the draft as Didit takes it.
func (d *draft) request() didit.SessionRequest {
	return didit.SessionRequest{WorkflowID: d.workflowID, VendorData: d.vendorData, Fields: d.fields}
}

// explain turns an error of Didit's client into one for the caller. defaulted tells that the
// workflow is the configuration's choice: then it is for the operator to fix.
func explain(err error, defaulted bool) *Error {
	failure, ok := errors.AsType[*didit.Error](err)
	if !ok {
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
			// Didit's client reports its own time-outs as a [*didit.Error]: this one comes from the secret.
			return NewError(CodeBackendUnavailable, "the secret is out of reach: no time was left to read it")
		}
		return AsError(err)
	}
	// Didit's kinds are codes of the public contract.
	e := &Error{Code: Code(failure.Kind), Reason: failure.Error()}
	switch e.Code {
	case CodeInvalidRequest:
		for _, f := range failure.Fields {
			if f.Field == "workflow_id" && defaulted {
				return NewError(CodeInternal, "Didit refuses the workflow of the configuration")
			}
			e.Fields = append(e.Fields, FieldError{Field: f.Field, Message: f.Message, Private: true})
		}
		e.Detail = failure.Detail
	case CodeNotFound:
		e.Detail = noSession().Detail
	case CodePlanRequired, CodeInsufficientCredits:
		e.Detail = sentenceOf(failure)
	case CodeThrottled, CodeDiditUnavailable:
		e.RetryAfter = cmp.Or(failure.RetryAfter, defaultRetryAfter)
	}
	return e
}

// sentenceOf joins the sentences of Didit's answer: its detail, and those beside fields.
func sentenceOf(e *didit.Error) string {
	sentences := []string{}
	if e.Detail != "" {
		sentences = append(sentences, e.Detail)
	}
	for _, f := range e.Fields {
		sentences = append(sentences, f.Message)
	}
	return strings.Join(sentences, " ")
}

func deliveredEvent(w WebhookEvent) Event {
	return Event{
		ID: boundedID(w.ID), DataUpdated: w.Type == didit.TypeDataUpdated, SessionID: w.SessionID,
		VendorData: valueOf(w.VendorData), WorkflowID: valueOf(w.WorkflowID), Status: w.Status, Checks: w.Checks,
		OccurredAt: w.OccurredAt.UTC(), Environment: valueOf(w.Environment),
	}
}

// ask reads the status of a session at Didit. The time of the event is the start of the read.
func (t *Tracker) ask(ctx context.Context, sessionID string) (Event, error) {
	ctx, cancel := withReserve(ctx)
	defer cancel()
	start := t.now().Truncate(time.Second)
	d, err := t.Didit.Decision(ctx, sessionID)
	if err != nil {
		return Event{}, explain(err, false)
	}
	return Event{
		ID: readID(sessionID, d.Status, start), Recorded: true, SessionID: sessionID,
		VendorData: valueOf(d.VendorData), WorkflowID: valueOf(d.WorkflowID), Status: d.Status, Checks: d.Checks,
		OccurredAt: start,
	}, nil
}

// DecisionReader reads whole decisions. Set its field before first use; it is safe for concurrent
// use.
type DecisionReader struct {
	Didit Decisions // required
}

// ReadDecision returns Didit's decision for a session, byte for byte as Didit sent it: personal
// data. It returns an [*Error], with code invalid_request for a malformed id and not_found for a
// session that Didit does not know.
func (r DecisionReader) ReadDecision(ctx context.Context, sessionID string) (json.RawMessage, error) {
	id, ok := normalID(sessionID)
	if !ok {
		return nil, invalidField("session_id", checkUUID(sessionID))
	}
	decision, err := r.Didit.Decision(ctx, id)
	if err != nil {
		return nil, explain(err, false)
	}
	return decision.Raw, nil
}

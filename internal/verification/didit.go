package verification

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"regexp"
	"slices"
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

// Statuses reads sessions' statuses at Didit; [*didit.Client] implements it. It returns errors as
// [Provider] does.
type Statuses interface {
	// Status reads the status of a session, in one request that is not repeated.
	Status(ctx context.Context, sessionID string) (didit.Decision, error)
	// APIVersion returns the version of Didit's API that the credentials belong to.
	APIVersion(ctx context.Context) (didit.Version, error)
}

// Persons lists and deletes what Didit has of an end user; [*didit.Client] implements it. It
// returns errors as [Provider] does, and repeats requests that get no usable answer.
type Persons interface {
	// ListSessions lists the sessions of an end user, as Didit answers. After an error it ends.
	ListSessions(ctx context.Context, vendorData string) iter.Seq2[didit.ListedSession, error]
	// DeleteSession deletes a session.
	DeleteSession(ctx context.Context, sessionID string) error
	// DeleteUser deletes the user of the vendor data, if there is one.
	DeleteUser(ctx context.Context, vendorData string) error
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

// explain turns an error of Didit's client into one for the caller of create. What the operator
// chose is for the operator to fix: the workflow of the configuration, and a callback on the web
// that the deployment's own list allows a signed-in user.
func (c *Creator) explain(err error, d *draft, caller Caller) *Error {
	e := explain(err, c.Policy.ExtraFields...)
	if e.Code != CodeInvalidRequest {
		return e
	}
	for _, f := range e.Fields {
		switch {
		case f.Field == "workflow_id" && d.defaulted:
			return NewError(CodeInternal, "Didit refuses the workflow of the configuration")
		case f.Field == "callback" && !caller.Trusted && isWeb(d.texts["callback"]):
			return NewError(CodeInternal, "Didit refuses a callback that ALLOWED_CALLBACKS allows: "+
				"is its domain among the application's allowed domains?")
		}
	}
	return e
}

// explain turns an error of Didit's client into one for the caller. Of Didit's words only sentences
// are passed on: about the whole request, and about fields that create takes.
func explain(err error, extraFields ...string) *Error {
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
		e.Detail, e.Fields = failure.Detail, knownFields(failure, extraFields)
		if e.Detail == "" && len(e.Fields) == 0 {
			e.Detail = "Didit refused the request, and named none of its fields."
		}
	case CodeNotFound:
		e.Detail = noSession().Detail
	case CodePlanRequired, CodeInsufficientCredits:
		e.Detail = sentenceOf(failure, extraFields)
	case CodeThrottled, CodeDiditUnavailable:
		e.RetryAfter = cmp.Or(failure.RetryAfter, defaultRetryAfter)
	}
	return e
}

// itemForm is how a path names the items of an array: expected_document_types[0], or .0.
var itemForm = regexp.MustCompile(`(\[[0-9]+\]|\.[0-9]+)+$`)

// knownFields returns Didit's messages about fields that create takes. What else Didit names may be
// about its own affairs.
func knownFields(e *didit.Error, extraFields []string) (known []FieldError) {
	for _, f := range e.Fields {
		path := itemForm.ReplaceAllString(f.Field, "")
		if top := path[:min(len(path), strings.IndexAny(path+".", ".["))]; slices.Contains(extraFields, top) {
			path = top
		} else if !KnownField(path) {
			continue
		}
		known = append(known, FieldError{Field: path, Message: f.Message, Private: true})
	}
	return known
}

// sentenceOf joins the sentences of Didit's answer: its detail, and those about fields. A single
// word beside a field is a value.
func sentenceOf(e *didit.Error, extraFields []string) string {
	var sentences []string
	if e.Detail != "" {
		sentences = append(sentences, e.Detail)
	}
	for _, f := range knownFields(e, extraFields) {
		if strings.Contains(f.Message, " ") {
			sentences = append(sentences, f.Message)
		}
	}
	return strings.Join(sentences, " ")
}

func deliveredEvent(w WebhookEvent) Event {
	return Event{
		ID: boundedID(w.ID), DataUpdated: w.Type == didit.TypeDataUpdated, SessionID: w.SessionID,
		VendorData: valueOf(w.VendorData), WorkflowID: valueOf(w.WorkflowID), Status: w.Status, Checks: w.Checks,
		OccurredAt: w.OccurredAt.UTC(), SentAt: w.SentAt.UTC(), Environment: valueOf(w.Environment),
	}
}

// ask reads the status of a session at Didit. The time of the event is the start of the read.
func (t *Tracker) ask(ctx context.Context, r Record) (Event, error) {
	ctx, cancel := withReserve(ctx)
	defer cancel()
	start := t.now().Truncate(time.Second)
	d, err := t.Didit.Status(ctx, r.SessionID)
	if err != nil {
		return Event{}, explain(err)
	}
	return Event{
		ID: readID(r.SessionID, d.Status, start, r.News), Recorded: true, SessionID: r.SessionID,
		VendorData: valueOf(d.VendorData), WorkflowID: valueOf(d.WorkflowID), Status: d.Status, Checks: d.Checks,
		OccurredAt: start, SentAt: start,
	}, nil
}

// readsPerMinute returns how many decisions the deployment may read at Didit in a minute.
func (t *Tracker) readsPerMinute(ctx context.Context) (int, error) {
	if t.ReadsPerMinute > 0 {
		return t.ReadsPerMinute, nil
	}
	version, err := t.Didit.APIVersion(ctx)
	if err != nil {
		return 0, explain(err)
	}
	if version == didit.V3 {
		return readsPerMinuteV3, nil
	}
	return readsPerMinuteV2, nil
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
	if invalid := InvalidSessionID(sessionID); len(invalid) > 0 {
		return nil, &Error{Code: CodeInvalidRequest, Fields: invalid}
	}
	id, _ := normalID(sessionID)
	decision, err := r.Didit.Decision(ctx, id)
	if err != nil {
		return nil, explain(err)
	}
	return decision.Raw, nil
}

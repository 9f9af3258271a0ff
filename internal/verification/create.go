package verification

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
)

// Caller is who makes a request. It prints as redacted.
type Caller struct {
	hidden
	// Trusted callers are authorised by IAM: servers and workflows. They may send every field and
	// name any end user. Any other caller is the signed-in end user.
	Trusted bool
	// Principal is the signed-in end user's id, which becomes the vendor data. It is not used for a
	// trusted caller.
	Principal string
}

// Policy is what a deployment allows. The zero value allows no workflow.
type Policy struct {
	WorkflowIDs          []string         // lower-case UUIDs; the first is the default
	AnyWorkflow          bool             // every workflow is allowed and none is the default
	BiometricWorkflowIDs []string         // lower-case UUIDs; these require vendor data
	UserFields           []string         // names or dotted paths that a signed-in user may send
	ExtraFields          []string         // top-level names passed through unchecked
	AllowedCallbacks     []CallbackPrefix // where a signed-in user's browser may be sent
	LocalCallbacks       bool             // http://localhost is allowed too: for development alone
	Reverify             bool             // a signed-in user may be verified again
	SessionsPerDay       int              // new sessions of one signed-in user in 24 hours; 0: no limit
}

// CreateRequest describes the session to create.
type CreateRequest struct {
	Caller  Caller
	Fields  Value        // the body, an object
	Invalid []FieldError // errors of its form, to be reported with all others
	// DoorFields are names that the caller of Create takes itself, and that Fields is without. They
	// are suggested for misspelt ones.
	DoorFields []string
}

// Recorder is the part of a [Store] that creating sessions needs.
type Recorder interface {
	recordWriter
	Add(ctx context.Context, r Record) (was Record, known bool, err error)
	Latest(ctx context.Context, vendorData string, max int) ([]Record, error)
}

// Created is a session that was created, or the end user's unfinished one. It prints as its
// session.
type Created struct {
	Session
	// Known is true if the session was on record already.
	Known bool
}

// Creator creates sessions. Set its fields before first use; it is safe for concurrent use.
type Creator struct {
	Didit  Provider // required
	Policy Policy
	Store  Recorder // gets every session before its URL is handed out; nil: none is recorded
	// Retention and ReconcileAfter are those of [Tracker].
	Retention, ReconcileAfter time.Duration
	// LookLimit is how long the request waits for the list of the user's sessions, and after Didit's
	// answer for noting a doubt; 0 means 1 s.
	LookLimit time.Duration
	// LogRecovered is called with errors that do not fail the call; nil drops them.
	LogRecovered func(ctx context.Context, err error)
	Now          func() time.Time // nil means [time.Now]
}

// Create validates the request and creates a session at Didit, or gets the end user's unfinished
// one. Its errors are [*Error]s. Of several, the first in this order is returned:
// field_not_allowed, invalid_request with all invalid fields, vendor_data_mismatch,
// workflow_not_allowed; for a signed-in user already_verified or in_review, both with the session,
// and too_many_sessions; then Didit's refusal, or internal if Didit answered with another session
// than was asked for; then, if the session was created but could not be recorded,
// backend_unavailable or internal.
func (c *Creator) Create(ctx context.Context, r CreateRequest) (Created, error) {
	if !r.Caller.Trusted {
		if refused := c.Policy.fieldsNotAllowed(r.Fields); len(refused) > 0 {
			return Created{}, &Error{Code: CodeFieldNotAllowed, Fields: refused}
		}
	}
	d := c.draft(r)
	if len(d.invalid) > 0 {
		return Created{}, &Error{Code: CodeInvalidRequest, Fields: d.invalid}
	}
	if sent, ok := d.texts["vendor_data"]; ok && !r.Caller.Trusted && sent != r.Caller.Principal {
		return Created{}, mismatch()
	}
	if !c.Policy.AnyWorkflow && !slices.Contains(c.Policy.WorkflowIDs, d.workflowID) {
		return Created{}, &Error{Code: CodeWorkflowNotAllowed, Fields: []FieldError{{
			Field: "workflow_id", Message: "is not one of the workflows of this deployment."}}}
	}
	latest, err := c.checkNeed(ctx, d, r.Caller)
	if err != nil {
		return Created{}, err
	}
	session, err := c.create(ctx, d)
	if err != nil {
		return Created{}, c.explain(err, d, r.Caller)
	}
	if err := c.checkAnswer(session, d, r.Caller); err != nil {
		return Created{}, err
	}
	known, err := c.record(ctx, session, d)
	if err != nil {
		return Created{}, err
	}
	if !known {
		c.doubt(ctx, latest)
	}
	return Created{Session: session, Known: known}, nil
}

// maxRecordReserve is the part of the deadline reserved for recording Didit's answer: time for a
// write that is tried again once. Of a shorter deadline a quarter is reserved.
const maxRecordReserve = 2 * time.Second

// withReserve ends the context of a call to Didit early enough for recording the answer.
func withReserve(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-min(maxRecordReserve, time.Until(deadline)/4)))
}

func (c *Creator) create(ctx context.Context, d *draft) (Session, error) {
	if c.Store != nil {
		var cancel context.CancelFunc
		ctx, cancel = withReserve(ctx)
		defer cancel()
	}
	return c.Didit.CreateSession(ctx, d.request())
}

// checkAnswer refuses a session that is not the one asked for: how Didit compares vendor data is
// its own matter, and a session of another end user must not reach the caller.
func (c *Creator) checkAnswer(session Session, d *draft, caller Caller) error {
	if session.VendorData != nil && *session.VendorData != d.vendorData {
		return NewError(CodeInternal, "Didit answered with other vendor data than was sent: with another end user's session")
	}
	if caller.Trusted && c.Policy.AnyWorkflow {
		return nil // Didit takes the id of a version too, and answers with the workflow's own
	}
	switch answered := session.WorkflowID; {
	case answered == "", strings.EqualFold(answered, d.workflowID):
		return nil
	case !ValidUUID(answered):
		return NewError(CodeInternal, "Didit answered with a workflow whose id is not a UUID")
	default:
		return NewError(CodeInternal, "Didit answered with workflow "+answered+" instead of "+d.workflowID+
			": WORKFLOW_IDS must hold the ids that Didit answers")
	}
}

// record puts the session on record, so that every URL that was handed out has one, and reports
// whether it was on record already. It refuses a session of another end user.
func (c *Creator) record(ctx context.Context, session Session, d *draft) (known bool, err error) {
	if c.Store == nil {
		return false, nil
	}
	id, ok := normalID(session.ID)
	if !ok {
		return false, &Error{Code: CodeDiditUnavailable, RetryAfter: defaultRetryAfter, Reason: "Didit's session id is not a UUID"}
	}
	workflowID := d.workflowID
	if ValidUUID(session.WorkflowID) {
		workflowID = strings.ToLower(session.WorkflowID)
	}
	status := cmp.Or(session.Status, StatusNotStarted)
	r := NewRecord(id, d.vendorData, workflowID, status, c.now())
	m := newMoment(r.CreatedAt, c.ReconcileAfter, c.Retention)
	was, known, err := c.Store.Add(ctx, r.renewed(m).scheduled(m))
	if err != nil {
		return false, AsError(err)
	}
	if was.Erased {
		// Didit has not deleted it yet. After that the caller gets a new one.
		return false, NewError(CodeBackendUnavailable, "the end user is being erased, and Didit returned a session that is to be deleted")
	}
	if was.VendorData != "" && was.VendorData != d.vendorData {
		return false, NewError(CodeInternal, "Didit answered with session "+id+", which is on record for another end user")
	}
	if known && (was.DueFrom.IsZero() || was.Final() || !was.UnknownSince.IsZero()) {
		c.revive(ctx, id)
	}
	return known, nil
}

// revive corrects the record of a session that Didit handed out although the record says that the
// session is over, or that Didit does not know it. What Didit shows here is no status that is
// compared with others; a read settles that.
func (c *Creator) revive(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(c.LookLimit, maxLook))
	defer cancel()
	m := newMoment(c.now().UTC().Truncate(time.Millisecond), c.ReconcileAfter, c.Retention)
	_, err := update(ctx, c.Store, id, func(r Record) (Record, bool, error) {
		if r = r.known(m); r.Final() {
			r = r.inDoubt(m.now.Truncate(time.Second), m)
		}
		return r, true, nil
	})
	c.logRecovered(ctx, err)
}

func (c *Creator) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

func mismatch() *Error {
	return &Error{Code: CodeVendorDataMismatch, Fields: []FieldError{{
		Field: "vendor_data", Message: "must be left out, or be the signed-in user's own id."}}}
}

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
}

// CreateRequest describes the session to create.
type CreateRequest struct {
	Caller  Caller
	Fields  Value        // the body, an object
	Invalid []FieldError // errors of its form, to be reported with all others
}

// Recorder keeps records of new sessions. Every [Store] is one.
type Recorder interface {
	Add(ctx context.Context, r Record) error
}

// Creator creates sessions. Set its fields before first use; it is safe for concurrent use.
type Creator struct {
	Didit  Provider // required
	Policy Policy
	Store  Recorder         // gets every session before its URL is handed out; nil: none is recorded
	Now    func() time.Time // nil means [time.Now]
}

// Create validates the request and creates a session at Didit, or gets the end user's unfinished
// one. Its errors are [*Error]s. Of several, the first in this order is returned:
// field_not_allowed, invalid_request with all invalid fields, vendor_data_mismatch,
// workflow_not_allowed; then Didit's refusal; then, if the session was created but could not be
// recorded, backend_unavailable or internal.
func (c *Creator) Create(ctx context.Context, r CreateRequest) (Session, error) {
	if !r.Caller.Trusted {
		if refused := c.Policy.fieldsNotAllowed(r.Fields); len(refused) > 0 {
			return Session{}, &Error{Code: CodeFieldNotAllowed, Fields: refused}
		}
	}
	d := c.draft(r)
	if len(d.invalid) > 0 {
		return Session{}, &Error{Code: CodeInvalidRequest, Fields: d.invalid}
	}
	if sent, ok := d.texts["vendor_data"]; ok && !r.Caller.Trusted && sent != r.Caller.Principal {
		return Session{}, mismatch()
	}
	if !c.Policy.AnyWorkflow && !slices.Contains(c.Policy.WorkflowIDs, d.workflowID) {
		return Session{}, &Error{Code: CodeWorkflowNotAllowed, Fields: []FieldError{{
			Field: "workflow_id", Message: "is not one of the workflows of this deployment."}}}
	}
	session, err := c.create(ctx, d)
	if err != nil {
		return Session{}, explain(err, d.defaulted)
	}
	if err := c.record(ctx, session, d); err != nil {
		return Session{}, err
	}
	return session, nil
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

// record puts the session on record, so that every URL that was handed out has one.
func (c *Creator) record(ctx context.Context, session Session, d *draft) error {
	if c.Store == nil {
		return nil
	}
	id, ok := normalID(session.ID)
	if !ok {
		return &Error{Code: CodeDiditUnavailable, RetryAfter: defaultRetryAfter, Reason: "Didit's session id is not a UUID"}
	}
	workflowID := cmp.Or(strings.ToLower(session.WorkflowID), d.workflowID)
	status := cmp.Or(session.Status, StatusNotStarted)
	if err := c.Store.Add(ctx, NewRecord(id, d.vendorData, workflowID, status, c.now())); err != nil {
		return AsError(err)
	}
	return nil
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

// fieldsNotAllowed lists the fields of a body that a signed-in user may not send.
func (p Policy) fieldsNotAllowed(body Value) []FieldError {
	var refused []FieldError
	for _, m := range body.Members {
		switch {
		case dotted(m.Name):
			refused = append(refused, FieldError{Field: FieldPath("", m.Name), Message: unknownField})
		case slices.Contains(p.UserFields, m.Name), m.Name == "vendor_data", isUnset(m.Name, m.Value):
		case !p.allowsWithin(m.Name):
			refused = append(refused, p.refuse(FieldPath("", m.Name)))
		default:
			for _, inner := range m.Value.Members {
				path := FieldPath(m.Name, inner.Name)
				if !slices.Contains(p.UserFields, path) && !isUnset(path, inner.Value) {
					refused = append(refused, p.refuse(path))
				}
			}
		}
	}
	return refused
}

// isUnset reports whether a field counts as not sent: null in a field that exists.
func isUnset(path string, v Value) bool { return v.Kind == KindNull && KnownField(path) }

// allowsWithin reports whether any member of a top-level field is allowed.
func (p Policy) allowsWithin(name string) bool {
	return slices.ContainsFunc(p.UserFields, func(f string) bool { return strings.HasPrefix(f, name+".") })
}

func (p Policy) refuse(path string) FieldError {
	if KnownField(path) || slices.Contains(p.ExtraFields, path) {
		return FieldError{Field: path, Message: "may not be sent by a signed-in user."}
	}
	return FieldError{Field: path, Message: unknownField}
}

const unknownField = "is not a field of this request."

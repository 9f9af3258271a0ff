package verification

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
)

// Caller is who asks for a session.
type Caller struct {
	// Trusted callers are authorised by IAM: servers and workflows. They may send every field
	// and name any end user. Otherwise the caller is the signed-in end user.
	Trusted bool
	// Principal is the signed-in end user's id, which becomes the vendor data. Not used for a
	// trusted caller.
	Principal string
}

// Policy is what a deployment allows. The zero value allows no workflow.
type Policy struct {
	WorkflowIDs          []string         // lower-case UUIDs; the first is the default
	AnyWorkflow          bool             // every workflow is allowed and none is the default
	BiometricWorkflowIDs []string         // lower-case UUIDs; these need vendor data
	UserFields           []string         // names or dotted paths that a signed-in user may send
	ExtraFields          []string         // top-level names passed through unchecked
	AllowedCallbacks     []CallbackPrefix // where a signed-in user's browser may be sent
}

// CreateRequest asks for a session.
type CreateRequest struct {
	Caller  Caller
	Fields  Value        // the body, an object
	Invalid []FieldError // what is wrong with its form; reported with everything else
}

// Service creates sessions. Set its fields before first use; it is safe for concurrent use.
type Service struct {
	Didit  Provider // required
	Policy Policy
	// Store gets a record of every session before its URL is handed out; nil: none is kept.
	Store interface {
		Add(ctx context.Context, r Record) error
	}
	Now func() time.Time // nil means [time.Now]
}

// Create validates the request and creates a session at Didit, or gets the end user's unfinished
// one. Its errors are [*Error]s. Refusals come in this order, and the first that applies
// answers: field_not_allowed, invalid_request with all invalid fields, vendor_data_mismatch,
// workflow_not_allowed; then what Didit says; then, when the session is there but could not be put on
// record, backend_unavailable or internal.
func (s *Service) Create(ctx context.Context, r CreateRequest) (Session, error) {
	if !r.Caller.Trusted {
		if refused := s.Policy.notAllowed(r.Fields); len(refused) > 0 {
			return Session{}, &Error{Code: CodeFieldNotAllowed, Fields: refused}
		}
	}
	d := s.draft(r)
	if len(d.invalid) > 0 {
		return Session{}, &Error{Code: CodeInvalidRequest, Fields: d.invalid}
	}
	if sent, ok := d.texts["vendor_data"]; ok && !r.Caller.Trusted && sent != r.Caller.Principal {
		return Session{}, mismatch()
	}
	if !s.Policy.AnyWorkflow && !slices.Contains(s.Policy.WorkflowIDs, d.workflowID) {
		return Session{}, &Error{Code: CodeWorkflowNotAllowed, Fields: []FieldError{{
			Field: "workflow_id", Message: "is not one of the workflows of this deployment."}}}
	}
	session, err := s.create(ctx, d)
	if err != nil {
		return Session{}, explain(err, d.defaulted)
	}
	if err := s.record(ctx, session, d); err != nil {
		return Session{}, err
	}
	return session, nil
}

// recordReserve is kept of a call's time for writing down what Didit said.
const recordReserve = 2 * time.Second

// withReserve is the part of a call's time in which Didit may answer.
func withReserve(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-min(recordReserve, time.Until(deadline)/4)))
}

func (s *Service) create(ctx context.Context, d *draft) (Session, error) {
	if s.Store != nil {
		var cancel context.CancelFunc
		ctx, cancel = withReserve(ctx)
		defer cancel()
	}
	return s.Didit.CreateSession(ctx, d.request())
}

// record puts the session on record: a URL that was handed out is always there.
func (s *Service) record(ctx context.Context, session Session, d *draft) error {
	if s.Store == nil {
		return nil
	}
	id, ok := normalID(session.ID)
	if !ok {
		return &Error{Code: CodeDiditUnavailable, RetryAfter: defaultRetryAfter, Reason: "Didit's session id is not a UUID"}
	}
	workflowID := strings.ToLower(session.WorkflowID)
	if workflowID == "" {
		workflowID = d.workflowID
	}
	status := cmp.Or(session.Status, StatusNotStarted)
	if err := s.Store.Add(ctx, NewRecord(id, d.vendorData, workflowID, status, s.now())); err != nil {
		return AsError(err)
	}
	return nil
}

func (s *Service) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

func mismatch() *Error {
	return &Error{Code: CodeVendorDataMismatch, Fields: []FieldError{{
		Field: "vendor_data", Message: "must be left out, or be the signed-in user's own id."}}}
}

// notAllowed lists the fields that a signed-in user may not send.
func (p Policy) notAllowed(body Value) []FieldError {
	var refused []FieldError
	for _, m := range body.Members {
		switch {
		case dotted(m.Name):
			refused = append(refused, FieldError{Field: FieldPath("", m.Name), Message: unknownField})
		case slices.Contains(p.UserFields, m.Name), m.Name == "vendor_data", p.unsent(m.Name, m.Value):
		case !p.allowsUnder(m.Name):
			refused = append(refused, p.refuse(FieldPath("", m.Name)))
		default:
			for _, inner := range m.Value.Members {
				path := FieldPath(m.Name, inner.Name)
				if !slices.Contains(p.UserFields, path) && !p.unsent(path, inner.Value) {
					refused = append(refused, p.refuse(path))
				}
			}
		}
	}
	return refused
}

// unsent reports whether a field counts as not sent: null in a field that exists.
func (p Policy) unsent(path string, v Value) bool { return v.Kind == Null && KnownField(path) }

// allowsUnder reports whether anything within a top-level field is allowed.
func (p Policy) allowsUnder(name string) bool {
	return slices.ContainsFunc(p.UserFields, func(f string) bool { return strings.HasPrefix(f, name+".") })
}

func (p Policy) refuse(path string) FieldError {
	if KnownField(path) || slices.Contains(p.ExtraFields, path) {
		return FieldError{Field: path, Message: "may not be sent by a signed-in user."}
	}
	return FieldError{Field: path, Message: unknownField}
}

const unknownField = "is not a field of this request."

package verification

import (
	"context"
	"errors"
	"strings"
)

// maxToken is the length of the longest task token in characters (Step Functions: SendTaskSuccess).
const maxToken = 2048

// Await stores the token of a task that waits on a session, and puts the session on record if it is
// not. If the session's status is final already, on record or at Didit, the task is completed at
// once; otherwise when it becomes final.
//
// It returns an [*Error] with code invalid_request for a malformed session id or token, with
// not_found for a session that Didit does not know (the token is removed), and with
// backend_unavailable or internal when the token could not be stored, or the session could not be
// put on record. What fails after that is not returned: the task waits until Reconcile or an event
// ends it.
func (t *Tracker) Await(ctx context.Context, sessionID, token string) error {
	id, err := checkTask(sessionID, token)
	if err != nil {
		return err
	}
	if err := t.Store.AddToken(ctx, id, token); err != nil {
		return err
	}
	// Order matters: Await stores the token, then writes the record; all others read the record, then
	// the tokens. The later one sees the earlier one's write.
	r, err := t.enroll(ctx, id)
	if err != nil {
		return err
	}
	if r.Final() {
		t.logRecovered(ctx, t.settle(ctx, r))
		return nil
	}
	return t.askOnce(ctx, id, token)
}

// askOnce finds a result that Didit had before the task began to wait.
func (t *Tracker) askOnce(ctx context.Context, id, token string) error {
	e, err := t.ask(ctx, id)
	if failure, ok := errors.AsType[*Error](err); ok && failure.Code == CodeNotFound {
		return t.withdraw(ctx, id, token)
	}
	if err == nil {
		_, err = t.observe(ctx, e, nil)
	}
	t.logRecovered(ctx, err)
	return nil
}

func checkTask(sessionID, token string) (id string, err error) {
	var invalid []FieldError
	id, ok := normalID(sessionID)
	switch {
	case sessionID == "":
		invalid = append(invalid, FieldError{Field: "session_id", Message: "is required."})
	case !ok:
		invalid = append(invalid, FieldError{Field: "session_id", Message: checkUUID(sessionID)})
	}
	switch {
	case strings.TrimSpace(token) == "":
		invalid = append(invalid, FieldError{Field: "task_token", Message: "is required: pass $$.Task.Token."})
	case len(token) > maxToken:
		invalid = append(invalid, FieldError{Field: "task_token", Message: "must not be longer than 2048 characters."})
	}
	if len(invalid) > 0 {
		return "", &Error{Code: CodeInvalidRequest, Fields: invalid}
	}
	return id, nil
}

// enroll puts the session on record as awaited and as due, so that Reconcile comes back to it until
// its tasks are completed. It writes the record even if that changes nothing: an operation that
// read the record before the token was stored can then neither remove it nor make it not due.
func (t *Tracker) enroll(ctx context.Context, id string) (Record, error) {
	for range maxWrites {
		r, found, err := t.Store.Record(ctx, id)
		if err != nil {
			return Record{}, err
		}
		if !found {
			placeholder := NewRecord(id, "", "", StatusNotStarted, t.now())
			placeholder.Awaited = true
			if err := t.Store.Add(ctx, placeholder); err != nil {
				return Record{}, err
			}
			continue // a concurrent Add may have won: read it
		}
		r.Awaited = true
		if r.DueFrom.IsZero() {
			r.DueFrom = t.now()
		}
		written, err := t.Store.Replace(ctx, r)
		if err != nil {
			return Record{}, err
		}
		if written {
			r.Version++
			return r, nil
		}
	}
	return Record{}, errContended()
}

// withdraw undoes Await for a session that Didit does not know, and returns not_found.
func (t *Tracker) withdraw(ctx context.Context, id, token string) error {
	t.logRecovered(ctx, t.Store.RemoveToken(ctx, id, token))
	r, found, err := t.Store.Record(ctx, id)
	if err == nil && found && r.Source == SourceCreate && r.VendorData == "" && r.WorkflowID == "" {
		var others []string
		if others, err = t.Store.Tokens(ctx, id); err == nil && len(others) == 0 {
			_, err = t.Store.Remove(ctx, r)
		}
	}
	t.logRecovered(ctx, err)
	return noSession()
}

package verification

import (
	"context"
	"errors"
	"strings"
)

// mostToken is the length of the longest task token (Step Functions: SendTaskSuccess).
const mostToken = 2048

// Await stores the token of a task that waits on a session, and puts a session that is not on
// record there. The task is completed at once where the session's status is final already, on record
// or at Didit; otherwise when it becomes so.
//
// It returns an [*Error] with code invalid_request for a malformed session id or token, with
// not_found for a session that Didit does not know (the token is dropped), and with backend_unavailable
// or internal when the token could not be stored, or the session not be put on record. Trouble after
// that is no error: the task waits until Reconcile or an event ends it.
func (t *Tracker) Await(ctx context.Context, sessionID, token string) error {
	id, err := checkTask(sessionID, token)
	if err != nil {
		return err
	}
	if err := t.Store.AddTask(ctx, id, token); err != nil {
		return err
	}
	// The token is stored before the record is written, and whoever records a final status, or takes
	// the session off the list of those that are due, reads the record first and the tokens after
	// that: whichever comes second sees the first.
	r, err := t.enroll(ctx, id)
	if err != nil {
		return err
	}
	if r.Final() {
		t.trouble(ctx, t.settle(ctx, r))
		return nil
	}
	return t.askOnce(ctx, id, token)
}

// askOnce finds a result that was there before anybody waited for it.
func (t *Tracker) askOnce(ctx context.Context, id, token string) error {
	e, err := t.ask(ctx, id)
	if failure, ok := errors.AsType[*Error](err); ok && failure.Code == CodeNotFound {
		return t.withdraw(ctx, id, token)
	}
	if err == nil {
		_, err = t.observe(ctx, e, nil)
	}
	t.trouble(ctx, err)
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
	case len(token) > mostToken:
		invalid = append(invalid, FieldError{Field: "task_token", Message: "must not be longer than 2048 characters."})
	}
	if len(invalid) > 0 {
		return "", &Error{Code: CodeInvalidRequest, Fields: invalid}
	}
	return id, nil
}

// enroll puts the session on record as awaited, and as due: from now on Reconcile comes back to it
// until its tasks are completed. It writes the record even where that changes nothing, so that whoever
// read it before the token was stored cannot take it off the list, or away.
func (t *Tracker) enroll(ctx context.Context, id string) (Record, error) {
	for range mostWrites {
		r, found, err := t.Store.Session(ctx, id)
		if err != nil {
			return Record{}, err
		}
		if !found {
			placeholder := NewRecord(id, "", "", StatusNotStarted, t.now())
			placeholder.Awaited = true
			if err := t.Store.Add(ctx, placeholder); err != nil {
				return Record{}, err
			}
			continue // who was first decides
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

// withdraw undoes Await for a session that Didit does not know.
func (t *Tracker) withdraw(ctx context.Context, id, token string) error {
	t.trouble(ctx, t.Store.RemoveTask(ctx, id, token))
	r, found, err := t.Store.Session(ctx, id)
	if err == nil && found && r.Source == SourceCreate && r.VendorData == "" && r.WorkflowID == "" {
		var others []string
		if others, err = t.Store.Tasks(ctx, id); err == nil && len(others) == 0 {
			_, err = t.Store.Remove(ctx, r)
		}
	}
	t.trouble(ctx, err)
	return noSession()
}

package verification

import (
	"context"
	"strings"
	"time"
)

// maxToken is the length of the longest task token in characters (Step Functions: SendTaskSuccess).
const maxToken = 2048

// Await stores the token of a task that waits on a session, and puts the session on record if it is
// not. If the session's status is final already, on record or at Didit, the task is completed at
// once; otherwise when it becomes final.
//
// It returns an [*Error] with code invalid_request for a malformed session id or token, with
// not_found for a session that was not on record and that Didit does not know, with user_erased for
// one of an erased end user (the token is removed in both cases), and with backend_unavailable or
// internal when the token could not be stored, or the session could not be put on record. What
// fails after that is not returned: the task waits until Reconcile or an event ends it.
func (t *Tracker) Await(ctx context.Context, sessionID, token string) error {
	if invalid := InvalidTask(sessionID, token); len(invalid) > 0 {
		return &Error{Code: CodeInvalidRequest, Fields: invalid}
	}
	id, _ := normalID(sessionID)
	if err := t.Store.AddToken(ctx, id, token); err != nil {
		return err
	}
	// Order matters: Await stores the token, then writes the record; all others read the record, then
	// the tokens. The later one sees the earlier one's write.
	r, known, err := t.enroll(ctx, id)
	if err != nil {
		return err
	}
	if r.Erased {
		t.logRecovered(ctx, t.Store.RemoveToken(ctx, id, token))
		return NewError(CodeUserErased, "")
	}
	if r.Final() {
		t.logRecovered(ctx, t.settle(ctx, r))
		return nil
	}
	return t.askOnce(ctx, r, known, token)
}

// askOnce finds a result that Didit had before the task began to wait, unless the session was read
// within the last minute. known tells that the session was on record before.
func (t *Tracker) askOnce(ctx context.Context, r Record, known bool, token string) error {
	r, claimed, err := t.Store.Claim(ctx, r.SessionID, t.now(), r.readPause())
	if err != nil || !claimed {
		t.logRecovered(ctx, err)
		return nil
	}
	e, err := t.ask(ctx, r)
	switch {
	case err == nil:
		_, err = t.observe(ctx, e, false)
	case AsError(err).Code != CodeNotFound:
	case known:
		t.logRecovered(ctx, err)
		err = t.reportMissing(ctx, r)
	default:
		return t.withdraw(ctx, r.SessionID, token)
	}
	t.logRecovered(ctx, err)
	return nil
}

// reportMissing has Reconcile look into a session that Didit answered not to have.
func (t *Tracker) reportMissing(ctx context.Context, read Record) error {
	_, err := t.write(ctx, read.SessionID, func(r Record) (Record, bool, error) {
		if r.News != read.News {
			return r, false, nil
		}
		next, changed := r.missing(t.moment())
		return next, changed, nil
	})
	return err
}

// InvalidTask lists what is wrong with the input of Await; nothing if it can be used.
func InvalidTask(sessionID, token string) []FieldError {
	invalid := InvalidSessionID(sessionID)
	switch {
	case strings.TrimSpace(token) == "":
		invalid = append(invalid, FieldError{Field: "task_token", Message: "is required: pass $$.Task.Token."})
	case len(token) > maxToken:
		invalid = append(invalid, FieldError{Field: "task_token", Message: "must not be longer than 2048 characters."})
	}
	return invalid
}

// InvalidSessionID lists what is wrong with a session id; nothing if it can be used.
func InvalidSessionID(sessionID string) []FieldError {
	switch {
	case sessionID == "":
		return []FieldError{{Field: "session_id", Message: "is required."}}
	case !ValidUUID(sessionID):
		return []FieldError{{Field: "session_id", Message: checkUUID(sessionID)}}
	default:
		return nil
	}
}

// enroll puts the session on record as awaited and as due, so that Reconcile comes back to it until
// its tasks are completed. That write changes the version even if it changes nothing else: an
// operation that read the record before the token was stored can then neither remove it nor make it
// not due. known tells that the session was on record before.
func (t *Tracker) enroll(ctx context.Context, id string) (r Record, known bool, err error) {
	m := t.moment()
	placeholder := NewRecord(id, "", "", StatusNotStarted, m.now)
	placeholder.Awaited, placeholder.DueFrom = true, m.now.Add(m.after)
	placeholder.Expires = m.now.Add(max(m.retention, TaskRetention)).Truncate(time.Second)
	was, known, err := t.Store.Enroll(ctx, placeholder)
	if err != nil || was.Erased {
		return was, known, err
	}
	r, found, err := t.Store.Record(ctx, id)
	if err != nil {
		return Record{}, false, err
	}
	switch {
	case !found:
		return Record{}, false, errContended() // removed at this very moment
	case r.Erased:
		return r, known, nil
	}
	// An awaited session can be more urgent, which only Replace writes. Where it is awaited already,
	// that write may have failed because of this enrolment.
	latest := m.now.Add(maxPause)
	if pause, _ := r.pause(m.after); pause < maxPause {
		latest = m.now.Add(pause)
	}
	early := min(r.DueFrom.UnixMilli(), latest.UnixMilli()) == r.DueFrom.UnixMilli()
	if !known || early && !was.Awaited && was.Class() == r.Class() && !was.DueFrom.IsZero() {
		return r, known, nil
	}
	if !early {
		r.DueFrom = latest
	}
	written, err := t.Store.Replace(ctx, r)
	if err != nil {
		return Record{}, false, err
	}
	if written {
		r.Version++
	}
	return r, known, nil
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

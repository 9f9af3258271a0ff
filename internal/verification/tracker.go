package verification

import (
	"cmp"
	"context"
	"encoding/json"
	"strings"
	"time"
)

// Tracker follows sessions on record, from whatever is observed of them: a webhook, a published
// event, or what Didit says when it is asked. Set its fields before first use; it is safe for
// concurrent use.
//
// Every observation takes one path: it is published, then recorded, and a final status completes
// the tasks that wait on the session. A crash between two of these steps is healed by whoever
// comes next: by the redelivery of the event, or by [Tracker.Reconcile].
type Tracker struct {
	Store Store // required
	// Bus is required by all but Track and List.
	Bus Bus
	// Tasks completes waiting tasks. Nil leaves that to whoever tracks the published event.
	Tasks Tasks
	// Didit is asked about sessions by Status, Await and Reconcile.
	Didit Decisions
	// ReconcileAfter is how long an unfinished session may stay unchanged before Reconcile asks
	// about it; 0 means 15 minutes.
	ReconcileAfter time.Duration
	// AskLimit is how long Status waits for Didit before it returns the record as it is; 0 means 5 s.
	AskLimit time.Duration
	// Trouble gets what went wrong where the caller is answered all the same; nil: nobody.
	Trouble func(ctx context.Context, err error)
	// Now tells the time; nil means [time.Now].
	Now func() time.Time
}

func (t *Tracker) now() time.Time {
	if t.Now != nil {
		return t.Now().UTC().Truncate(time.Millisecond)
	}
	return time.Now().UTC().Truncate(time.Millisecond)
}

func (t *Tracker) trouble(ctx context.Context, err error) {
	if err != nil && t.Trouble != nil {
		t.Trouble(ctx, AsError(err))
	}
}

// receive publishes an event that a webhook delivered, as one of a session on record or not.
func (t *Tracker) receive(ctx context.Context, e Event) error {
	r, found, err := t.Store.Session(ctx, e.SessionID)
	if err != nil {
		return err
	}
	return t.Bus.Publish(ctx, e.of(r, found))
}

// of is the event with what the record knows better: who owns the session.
func (e Event) of(r Record, found bool) Event {
	e.Recorded = found
	e.VendorData = cmp.Or(r.VendorData, e.VendorData)
	e.WorkflowID = cmp.Or(r.WorkflowID, e.WorkflowID)
	return e
}

// Track records a published event and, where the status that then stands is final, completes the
// tasks that wait on the session. Events may come in any order and any number of times. Events
// that are not of a status, or of a session that is not on record, change nothing.
//
// Its errors are [*Error]s with code backend_unavailable or internal; calling again is safe.
func (t *Tracker) Track(ctx context.Context, e Event) error {
	if !e.Recorded || e.DataUpdated {
		return nil
	}
	_, err := t.write(ctx, e.SessionID, func(r Record) (Record, bool, error) {
		next, changed, _ := r.after(e, t.now())
		return next, changed, nil
	})
	return err
}

// mostWrites is how often a record is read again because somebody else wrote it meanwhile.
const mostWrites = 10

// write reads the record, writes what change makes of it, and completes the tasks of a session
// whose stored status is final. The record of a session that is not on record is the zero value.
func (t *Tracker) write(ctx context.Context, id string, change func(Record) (Record, bool, error)) (Record, error) {
	for range mostWrites {
		r, found, err := t.Store.Session(ctx, id)
		if err != nil || !found {
			return Record{}, err
		}
		next, changed, err := change(r)
		if err != nil {
			return r, err
		}
		if changed {
			written, err := t.Store.Replace(ctx, next)
			if err != nil {
				return r, err
			}
			if !written {
				continue
			}
			next.Version++
		}
		return next, t.settle(ctx, next)
	}
	return Record{}, errContended()
}

func errContended() *Error {
	return NewError(CodeBackendUnavailable, "the record is being written by many at once")
}

// observe takes a status that was read at Didit. One that differs from the record's, and that no
// newer event contradicts, is published before it is recorded; the same status confirms the record.
// asked, if any, may change the record where its status stays, unless the read is inconclusive.
func (t *Tracker) observe(ctx context.Context, e Event, asked func(*Record)) (Record, error) {
	published := false
	return t.write(ctx, e.SessionID, func(r Record) (Record, bool, error) {
		next, changed, won := r.after(e, t.now())
		if e.Status == r.Status {
			next = r.confirmed(e, t.now())
			if asked != nil {
				asked(&next)
			}
			return next, true, nil
		}
		if !changed || !won {
			if asked == nil || e.inconclusive(r) {
				return r, false, nil
			}
			asked(&r)
			return r, true, nil
		}
		if !published {
			if err := t.Bus.Publish(ctx, e.of(r, true)); err != nil {
				return r, false, err
			}
			published = true
		}
		return next, true, nil
	})
}

// confirmed is the record once Didit has said the same.
func (r Record) confirmed(e Event, now time.Time) Record {
	r.CheckedAt = now
	r.VendorData = cmp.Or(r.VendorData, e.VendorData)
	r.WorkflowID = cmp.Or(r.WorkflowID, e.WorkflowID)
	if len(e.Checks) > 0 && !e.OccurredAt.Before(r.StatusAt) {
		r.Checks = e.Checks
	}
	return r
}

// settle completes the tasks of a session whose status is final. One token in trouble does not
// keep the others waiting.
func (t *Tracker) settle(ctx context.Context, r Record) error {
	if !r.Final() || t.Tasks == nil {
		return nil
	}
	tokens, err := t.Store.Tasks(ctx, r.SessionID)
	if err != nil {
		return err
	}
	standing := r
	if len(tokens) > 0 {
		// The status may have changed again since it was written, and a task may have come after
		// that: what stands now holds for all of them.
		now, found, err := t.Store.Session(ctx, r.SessionID)
		if err != nil {
			return err
		}
		if found {
			standing = now
		}
		if !standing.Final() {
			return nil
		}
	}
	err = t.endTasks(ctx, r.SessionID, tokens, func(token string) error { return t.complete(ctx, standing, token) })
	if err != nil || !r.Awaited || r.DueFrom.IsZero() {
		return err
	}
	// Until here a crash would have left the record due, and Reconcile would have come back to it.
	// Where somebody wrote the record since before the tokens were read, it stays due: a task may
	// have come with that.
	r.DueFrom = time.Time{}
	_, err = t.Store.Replace(ctx, r)
	return err
}

// endTasks ends tasks that wait on the session, and forgets those that are ended.
func (t *Tracker) endTasks(ctx context.Context, id string, tokens []string, end func(token string) error) error {
	var failed error
	for _, token := range tokens {
		err := end(token)
		if err == nil {
			err = t.Store.RemoveTask(ctx, id, token)
		}
		if failed == nil {
			failed = err
		}
	}
	return failed
}

// Names of errors that end a waiting task, for workflows to catch.
const (
	TaskSessionExpired   = "SessionExpired"
	TaskSessionAbandoned = "SessionAbandoned"
	TaskSessionNotFound  = "SessionNotFound"
)

// complete ends one task with the record's status.
func (t *Tracker) complete(ctx context.Context, r Record, token string) error {
	switch r.Status {
	case StatusExpired:
		return t.Tasks.Fail(ctx, token, TaskSessionExpired, "The session expired before the end user finished it.")
	case StatusAbandoned:
		return t.Tasks.Fail(ctx, token, TaskSessionAbandoned, "The end user began the session and did not finish it.")
	}
	output, err := json.Marshal(struct {
		SessionID  string  `json:"session_id"`
		VendorData *string `json:"vendor_data"`
		WorkflowID *string `json:"workflow_id"`
		Status     string  `json:"status"`
	}{r.SessionID, optional(r.VendorData), optional(r.WorkflowID), r.Status})
	if err != nil {
		return err
	}
	return t.Tasks.Succeed(ctx, token, output)
}

// normalID is a session id as it is kept, and whether it is one.
func normalID(id string) (string, bool) { return strings.ToLower(id), ValidUUID(id) }

package verification

import (
	"cmp"
	"context"
	"encoding/json"
	"strings"
	"time"
)

// Tracker follows sessions on record. Set its fields before first use; it is safe for concurrent
// use.
//
// Webhooks, published events and Didit's answers all take one path: the change is published, then
// recorded, and a final status completes the tasks that wait on the session. A crash between two of
// these steps is repaired by the next one to come: a redelivery of the event, or
// [Tracker.Reconcile].
type Tracker struct {
	Store Store // required
	// Bus is required by all operations but Track and List.
	Bus Bus
	// Tasks completes waiting tasks. Nil leaves that to the function that tracks published events.
	Tasks Tasks
	// Didit is required by Status, Await and Reconcile.
	Didit Decisions
	// ReconcileAfter is how long an unfinished session may stay unchanged before Reconcile asks
	// Didit about it; 0 means 15 minutes.
	ReconcileAfter time.Duration
	// AskLimit is how long Status waits for Didit before it returns the record as it is; 0 means 5 s.
	AskLimit time.Duration
	// LogRecovered is called with errors that do not fail the call; nil drops them.
	LogRecovered func(ctx context.Context, err error)
	// Now returns the time; nil means [time.Now].
	Now func() time.Time
}

func (t *Tracker) now() time.Time {
	now := time.Now
	if t.Now != nil {
		now = t.Now
	}
	return now().UTC().Truncate(time.Millisecond)
}

// logRecovered does nothing if err is nil.
func (t *Tracker) logRecovered(ctx context.Context, err error) {
	if err != nil && t.LogRecovered != nil {
		t.LogRecovered(ctx, AsError(err))
	}
}

// maxWrites is how often a record is read again because another writer changed it meanwhile.
const maxWrites = 10

// write reads the record, writes it as change returns it, and completes the tasks of a session
// whose stored status is final. The result for a session that is not on record is the zero value.
func (t *Tracker) write(ctx context.Context, id string, change func(Record) (Record, bool, error)) (Record, error) {
	for range maxWrites {
		r, found, err := t.Store.Record(ctx, id)
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

// observe records a status that was read at Didit. A status that differs from the record's, and
// that no newer event contradicts, is published before it is recorded; the same status confirms the
// record. asked, if not nil, may update the record when its status is unchanged, unless the read is
// inconclusive.
func (t *Tracker) observe(ctx context.Context, e Event, asked func(*Record)) (Record, error) {
	published := false
	return t.write(ctx, e.SessionID, func(r Record) (Record, bool, error) {
		next, changed, won := r.apply(e, t.now())
		if e.Status == r.Status {
			next = r.confirm(e, t.now())
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
			if err := t.Bus.Publish(ctx, e.withOwner(r, true)); err != nil {
				return r, false, err
			}
			published = true
		}
		return next, true, nil
	})
}

// settle completes the tasks of a session whose status is final. A token that cannot be completed
// does not hold up the others.
func (t *Tracker) settle(ctx context.Context, r Record) error {
	if !r.Final() || t.Tasks == nil {
		return nil
	}
	tokens, err := t.Store.Tokens(ctx, r.SessionID)
	if err != nil {
		return err
	}
	current := r
	if len(tokens) > 0 {
		// The status may have changed again since it was written, and a task may have been added after
		// that: the current status holds for all of them.
		latest, found, err := t.Store.Record(ctx, r.SessionID)
		if err != nil {
			return err
		}
		if found {
			current = latest
		}
		if !current.Final() {
			return nil
		}
	}
	err = t.endTasks(ctx, r.SessionID, tokens, func(token string) error { return t.complete(ctx, current, token) })
	if err != nil || !r.Awaited || r.DueFrom.IsZero() {
		return err
	}
	// Until this write a crash leaves the record due and Reconcile finishes the work. If the record
	// changed since the tokens were read, it stays due: a task may have been added.
	r.DueFrom = time.Time{}
	_, err = t.Store.Replace(ctx, r)
	return err
}

// endTasks ends tasks that wait on the session, and removes the tokens of those that are ended. It
// returns the first error.
func (t *Tracker) endTasks(ctx context.Context, id string, tokens []string, end func(token string) error) error {
	var first error
	for _, token := range tokens {
		err := end(token)
		if err == nil {
			err = t.Store.RemoveToken(ctx, id, token)
		}
		first = cmp.Or(first, err)
	}
	return first
}

// Names of errors that end a waiting task, on which workflows match.
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

// normalID returns a session id in lower case, as it is stored, and whether it is a UUID.
func normalID(id string) (string, bool) { return strings.ToLower(id), ValidUUID(id) }

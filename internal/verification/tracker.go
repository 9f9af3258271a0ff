package verification

import (
	"cmp"
	"context"
	"encoding/json"
	"strings"
	"time"
)

// Tracker follows sessions on record. Set its fields before first use; it is safe for concurrent
// use and must not be copied.
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
	Didit Statuses
	// ReconcileAfter is how long an unfinished session may stay unchanged before Reconcile asks
	// Didit about it; 0 means 15 minutes.
	ReconcileAfter time.Duration
	// ReadsPerMinute are the decisions that the whole deployment may read at Didit in a minute, half
	// of them for Status and half for Reconcile; 0 means 50 with v2 of Didit's API and 300 with v3.
	ReadsPerMinute int
	// Retention is how long a record is kept after its last change; 0 means [DefaultRetention].
	Retention time.Duration
	// AtOnce is how many sessions Reconcile handles at a time; 0 means 8.
	AtOnce int
	// AskLimit is how long Status waits for Didit before it returns the record as it is; 0 means 5 s.
	AskLimit time.Duration
	// LogRecovered is called with errors that do not fail the call; nil drops them.
	LogRecovered func(ctx context.Context, err error)
	// Now returns the time; nil means [time.Now].
	Now func() time.Time

	reads   readBudget
	settled settledSessions
}

// moment returns what the rules for records depend on.
func (t *Tracker) moment() moment {
	return newMoment(t.now(), t.ReconcileAfter, t.Retention)
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

// write is update, and completes the tasks of a session whose stored status is final.
func (t *Tracker) write(ctx context.Context, id string, change func(Record) (Record, bool, error)) (Record, error) {
	r, err := update(ctx, t.Store, id, change)
	if err != nil || r.SessionID == "" || r.Erased {
		return r, err
	}
	return r, t.settle(ctx, r)
}

// recordWriter is the part of a [Store] that update needs.
type recordWriter interface {
	Record(ctx context.Context, sessionID string) (Record, bool, error)
	Replace(ctx context.Context, r Record) (bool, error)
}

// update reads the record and writes it as change returns it, if that reports that it must be
// written. The result for a session that is not on record is the zero value; that of an erased one
// is not changed.
func update(ctx context.Context, store recordWriter, id string, change func(Record) (Record, bool, error)) (Record, error) {
	for range maxWrites {
		r, found, err := store.Record(ctx, id)
		if err != nil || !found {
			return Record{}, err
		}
		if r.Erased {
			return r, nil
		}
		next, changed, err := change(r)
		if err != nil || !changed {
			return r, err
		}
		written, err := store.Replace(ctx, next)
		if err != nil {
			return r, err
		}
		if written {
			next.Version++
			return next, nil
		}
	}
	return Record{}, errContended()
}

func errContended() *Error {
	return NewError(CodeBackendUnavailable, "the record is being written by many at once")
}

// observe records a status that was read at Didit. A status that differs from the record's, and
// that no newer event contradicts, is published before it is recorded, and so is one that settles a
// doubt; the same status confirms the record. A read during which something else was recorded is
// dropped. published tells that the event came from the bus, where it can be late.
func (t *Tracker) observe(ctx context.Context, e Event, published bool) (Record, error) {
	fromBus := published
	return t.write(ctx, e.SessionID, func(r Record) (Record, bool, error) {
		if r.News != e.readNews() {
			if fromBus && e.OccurredAt.Before(r.StatusAt) {
				return r, false, nil
			}
			next, changed := r.overtaken(e, published, t.moment())
			return next, changed, nil
		}
		next, changed, publish := r.withRead(e, t.moment())
		if publish && !published {
			if err := t.Bus.Publish(ctx, e.withOwner(r, true)); err != nil {
				return r, false, err
			}
			published = true
		}
		return next, changed, nil
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
		if !current.Final() || current.Erased {
			return nil
		}
	}
	err = t.endTasks(ctx, r.SessionID, tokens, func(token string) error { return t.complete(ctx, current, token) })
	if err != nil || !r.Awaited {
		return err
	}
	// Until this write a crash leaves the record due and Reconcile finishes the work. If the record
	// changed since the tokens were read, it stays due: a task may have been added.
	m := t.moment()
	if r.Awaited = false; !r.Unread {
		r = r.scheduled(m)
	}
	r = r.renewed(m) // it was kept for the tasks
	_, err = t.Store.Replace(ctx, r)
	return err
}

// endTasks ends tasks that wait on the session, and removes the tokens of those that are ended. It
// returns the first error.
func (t *Tracker) endTasks(ctx context.Context, id string, tokens []string, end func(token string) error) error {
	var first error
	for _, token := range tokens {
		err := end(token)
		if err != nil {
			err = taskError{err}
		} else {
			err = t.Store.RemoveToken(ctx, id, token)
		}
		first = cmp.Or(first, err)
	}
	return first
}

// taskError is the error of a task that could not be ended.
type taskError struct{ error }

func (e taskError) Unwrap() error { return e.error }

// Names of errors that end a waiting task, on which workflows match.
const (
	TaskSessionExpired   = "SessionExpired"
	TaskSessionAbandoned = "SessionAbandoned"
	TaskSessionNotFound  = "SessionNotFound"
	TaskUserErased       = "UserErased"
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

package verification

import (
	"context"
	"time"
)

const (
	// erasedRetention is how long it stays on record that a session is erased: longer than a delivery
	// of Didit's or a message in a queue can be on its way.
	erasedRetention = 30 * 24 * time.Hour
	// ownerLag is how long the list of an end user's sessions may lag behind the records.
	ownerLag = 2 * time.Second
	// maxPublishing is how long after a session was marked something can still be published that was
	// decided before: no publishing takes longer.
	maxPublishing = 5 * time.Second
	// maxEraseRounds is how often sessions are looked for that were created while others were erased.
	maxEraseRounds = 3
	// eraseReserve must be left of a call's deadline for one more session: for that session, the end
	// user and the event.
	eraseReserve = 20 * time.Second
)

// Eraser forgets end users, at Didit and here. Set its fields before first use; it is safe for
// concurrent use and must not be copied.
type Eraser struct {
	Store Store   // required
	Bus   Bus     // required
	Tasks Tasks   // required
	Didit Persons // required
	// AtOnce is how many records are written at a time; 0 means 8.
	AtOnce int
	// LogRecovered is called with the errors after the first, which Erase returns; nil drops them.
	LogRecovered func(ctx context.Context, err error)
	// Now returns the time; nil means [time.Now].
	Now func() time.Time
	// Sleep waits, and returns early if the context ends; nil waits in real time.
	Sleep func(ctx context.Context, d time.Duration)
}

// Erased is the result of [Eraser.Erase].
type Erased struct {
	Sessions    int  // sessions of the end user that were found, on record or at Didit
	Deleted     int  // of these, those that are gone from Didit, by this call or an earlier one
	UserDeleted bool // Didit has confirmed that it has no such user any more
}

// Erase forgets an end user. Its steps, each of which may be repeated:
//
//  1. Every session of the end user, on record or listed by Didit, is marked as erased: from then
//     on no event, read or request changes it, shows it or publishes anything about it.
//  2. The tasks that wait on these sessions fail with UserErased.
//  3. The sessions are deleted at Didit, where that is a soft deletion, and then the user.
//  4. Of the records, once all sessions are gone from Didit, it is kept for 30 days that they are
//     erased, and nothing else.
//  5. An event is published, also if nothing was found, so that subscribers do the same.
//
// It returns an [*Error] with code invalid_request for vendor data that no session can have, and
// with internal, before anything is marked or deleted, if Didit lists a session of another end
// user. After any other failure it tries the rest, the event included, and returns the first one:
// calling again continues. If more sessions are left than fit into the call's deadline, the code is
// throttled. If the records or events cannot be reached, it is backend_unavailable.
func (e *Eraser) Erase(ctx context.Context, vendorData string) (Erased, error) {
	if invalid := InvalidOwner(vendorData); len(invalid) > 0 {
		return Erased{}, &Error{Code: CodeInvalidRequest, Fields: invalid}
	}
	run := &erasure{Eraser: e, vendorData: vendorData, sessions: map[string]*erasedSession{}}
	for round := 0; run.first == nil; round++ {
		found, err := run.find(ctx)
		switch {
		case err != nil && round == 0:
			return Erased{}, err
		case err == nil && found && round == maxEraseRounds:
			err = NewError(CodeBackendUnavailable, "sessions of the end user are created while they are erased: sign the user out first")
		}
		run.fail(ctx, err)
		if round > 0 && (err != nil || !found) {
			break
		}
		run.mark(ctx)
		run.failTasks(ctx)
		run.deleteSessions(ctx)
		run.deleteUser(ctx)
	}
	run.strip(ctx)
	run.fail(ctx, run.publish(ctx))
	return run.result(), run.first
}

func (e *Eraser) now() time.Time {
	if e.Now == nil {
		return time.Now().UTC()
	}
	return e.Now().UTC()
}

func (e *Eraser) sleep(ctx context.Context, d time.Duration) {
	switch {
	case d <= 0:
	case e.Sleep != nil:
		e.Sleep(ctx, d)
	default:
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
	}
}

package verification

import (
	"context"
	"time"
)

const (
	// mostDue is how many sessions one run looks at; the read budget allows fewer.
	mostDue = 100
	// askedFor is the age up to which Reconcile asks about a session that no task waits on.
	askedFor = 30 * 24 * time.Hour
	// enoughTime is what must be left of a run's time for one more session.
	enoughTime = 5 * time.Second
	// longestPause is the longest time between two questions about one session.
	longestPause = 24 * time.Hour
	// mostFailures in a row end a run: something that all sessions need is in trouble.
	mostFailures = 3
)

// Reconciled is what came of one run.
type Reconciled struct {
	Asked   int // sessions that Didit was asked about
	Changed int // of these, those whose status was another
	Failed  int // sessions that were left for the next run
}

// Reconcile asks Didit about sessions that stayed unfinished for too long, the longest due first, and
// treats what it learns as if it had been delivered; it completes tasks that a crash left waiting. A
// session is due ReconcileAfter after its last change, then after twice as long each time, at most
// a day, until its status is final, or until it is 30 days old and no task waits on it. A read that
// loses only because it began in the second of the standing event leaves the session due: the next run
// asks again.
//
// A session in trouble is left for later, and does not keep the others waiting. Reconcile stops early,
// without an error, when the deployment's reads of the minute are taken, when Didit throttles, when
// three sessions in a row are in trouble, and when its time is over; what is left is due at the next
// run. It returns an [*Error] when Didit refuses the credentials or they cannot be used, and when the
// table is out of reach.
func (t *Tracker) Reconcile(ctx context.Context) (Reconciled, error) {
	var sum Reconciled
	ids, err := t.Store.Due(ctx, t.now().Add(-t.reconcileAfter()), mostDue)
	if err != nil {
		return sum, err
	}
	inARow := 0
	for _, id := range ids {
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < enoughTime {
			return sum, nil
		}
		proceed, err := t.reconcile(ctx, id, &sum)
		switch {
		case err == nil:
			inARow = 0
		case proceed:
			sum.Failed++
			inARow++
			t.trouble(ctx, err)
		case ctx.Err() != nil:
			sum.Failed++
			t.trouble(ctx, err)
			return sum, nil
		default:
			sum.Failed++
			return sum, err
		}
		if !proceed || inARow == mostFailures {
			return sum, nil
		}
	}
	return sum, nil
}

func (t *Tracker) reconcileAfter() time.Duration {
	if t.ReconcileAfter > 0 {
		return t.ReconcileAfter
	}
	return 15 * time.Minute
}

// reconcile looks at one session, and says whether to go on with the next. An error after which it
// goes on is that session's alone.
func (t *Tracker) reconcile(ctx context.Context, id string, sum *Reconciled) (proceed bool, err error) {
	r, found, err := t.Store.Session(ctx, id)
	if err != nil {
		return false, err
	}
	if !found || r.DueFrom.IsZero() || r.DueFrom.After(t.now().Add(-t.reconcileAfter())) {
		return true, nil // the list of due sessions lags behind the records
	}
	if r.Final() && r.Awaited {
		return t.unlessFailed(ctx, id, t.settle(ctx, r))
	}
	old, err := t.tooOld(ctx, r)
	if err != nil {
		return false, err
	}
	if old {
		r.DueFrom = time.Time{}
		_, err := t.Store.Replace(ctx, r)
		return true, err
	}
	allowed, err := t.Store.TakeRead(ctx, t.now(), readsPerMinute)
	if err != nil || !allowed {
		return false, err
	}
	sum.Asked++
	return t.askDue(ctx, r, sum)
}

// tooOld reports whether the session is too old to be asked about. A task that waits keeps it young.
func (t *Tracker) tooOld(ctx context.Context, r Record) (bool, error) {
	if t.now().Sub(r.CreatedAt) < askedFor {
		return false, nil
	}
	if !r.Awaited {
		return true, nil
	}
	tokens, err := t.Store.Tasks(ctx, r.SessionID)
	return len(tokens) == 0, err
}

// askDue asks Didit about a session that is due.
func (t *Tracker) askDue(ctx context.Context, r Record, sum *Reconciled) (proceed bool, err error) {
	e, err := t.ask(ctx, r.SessionID)
	if err != nil {
		failure := AsError(err)
		switch failure.Code {
		case CodeNotFound:
			return t.unlessFailed(ctx, r.SessionID, t.giveUp(ctx, r))
		case CodeThrottled:
			t.trouble(ctx, failure)
			return false, nil
		case CodeCredentialsRejected, CodeSecretUnavailable:
			return false, failure
		default:
			return t.unlessFailed(ctx, r.SessionID, failure)
		}
	}
	fresh, err := t.observe(ctx, e, t.askAgainLater)
	if err == nil && fresh.SessionID != "" && fresh.Status != r.Status {
		sum.Changed++
	}
	return t.unlessFailed(ctx, r.SessionID, err)
}

// unlessFailed goes on with the next session. One that failed is put off, so that it does not stand
// in the way of the others at every run.
func (t *Tracker) unlessFailed(ctx context.Context, id string, failed error) (proceed bool, err error) {
	if failed == nil {
		return true, nil
	}
	if err := t.putOff(ctx, id); err != nil {
		t.trouble(ctx, failed)
		return false, err
	}
	return true, failed
}

// askAgainLater makes the session due after twice as long as the last time; one that is finished, and
// has no tasks to complete, is not due any more.
func (t *Tracker) askAgainLater(r *Record) {
	if r.Final() {
		if !r.Awaited {
			r.DueFrom = time.Time{}
		}
		return
	}
	r.Asked++
	pause := t.reconcileAfter()
	for range r.Asked {
		pause = min(2*pause, longestPause)
	}
	r.DueFrom = t.now().Add(pause - t.reconcileAfter())
}

// putOff makes a session due again as if it had just changed.
func (t *Tracker) putOff(ctx context.Context, id string) error {
	r, found, err := t.Store.Session(ctx, id)
	if err != nil || !found || r.DueFrom.IsZero() {
		return err
	}
	r.DueFrom = t.now()
	_, err = t.Store.Replace(ctx, r)
	return err
}

// giveUp fails the tasks of a session that Didit no longer knows, and stops asking about it.
func (t *Tracker) giveUp(ctx context.Context, r Record) error {
	tokens, err := t.Store.Tasks(ctx, r.SessionID)
	if err != nil {
		return err
	}
	err = t.endTasks(ctx, r.SessionID, tokens, func(token string) error {
		return t.Tasks.Fail(ctx, token, TaskSessionNotFound, "Didit does not know the session any more.")
	})
	if err != nil {
		return err
	}
	r.DueFrom = time.Time{}
	_, err = t.Store.Replace(ctx, r)
	return err
}

package verification

import (
	"context"
	"time"
)

const (
	// maxDue is how many sessions one run looks at; the read budget allows fewer.
	maxDue = 100
	// maxAskedAge is the age up to which Reconcile asks about a session that no task waits on.
	maxAskedAge = 30 * 24 * time.Hour
	// minTimeLeft must be left of a run's deadline for one more session: a read at Didit and a write.
	minTimeLeft = 5 * time.Second
	// maxPause is the longest time between two reads of one session.
	maxPause = 24 * time.Hour
	// maxFailures in a row end a run: a shared dependency is probably down.
	maxFailures = 3
	// defaultReconcileAfter is [Tracker.ReconcileAfter] if that is not set.
	defaultReconcileAfter = 15 * time.Minute
)

// Reconciled is the result of one run.
type Reconciled struct {
	Asked   int // sessions that Didit was asked about
	Changed int // of these, those whose status had changed
	Failed  int // sessions that were left for the next run
}

// Reconcile asks Didit about sessions that stayed unfinished for too long, the longest due first,
// and handles each status as if a webhook had delivered it. It also completes tasks that a crash
// left waiting. A session is due ReconcileAfter after its last change, then after twice as long
// each time, at most a day, until its status is final, or until it is 30 days old and no task waits
// on it. A read that loses only because it began in the second of the recorded event leaves the
// session due, and the next run asks again.
//
// A session that fails is left for the next run and does not hold up the others. Reconcile stops
// early, without an error, when the deployment's reads of the minute are used up, when Didit
// throttles, when three sessions in a row fail, and when its time is over; the rest is due at the
// next run. It returns an [*Error] when Didit refuses the credentials or they cannot be used, and
// when the table cannot be reached.
func (t *Tracker) Reconcile(ctx context.Context) (Reconciled, error) {
	var sum Reconciled
	ids, err := t.Store.Due(ctx, t.now().Add(-t.reconcileAfter()), maxDue)
	if err != nil {
		return sum, err
	}
	inARow := 0
	for _, id := range ids {
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < minTimeLeft {
			return sum, nil
		}
		proceed, err := t.reconcile(ctx, id, &sum)
		switch {
		case err == nil:
			inARow = 0
		case proceed:
			sum.Failed++
			inARow++
			t.logRecovered(ctx, err)
		case ctx.Err() != nil:
			sum.Failed++
			t.logRecovered(ctx, err)
			return sum, nil
		default:
			sum.Failed++
			return sum, err
		}
		if !proceed || inARow == maxFailures {
			return sum, nil
		}
	}
	return sum, nil
}

func (t *Tracker) reconcileAfter() time.Duration {
	if t.ReconcileAfter > 0 {
		return t.ReconcileAfter
	}
	return defaultReconcileAfter
}

// reconcile handles one session. proceed tells whether to go on with the next one; then an error
// concerns this session alone.
func (t *Tracker) reconcile(ctx context.Context, id string, sum *Reconciled) (proceed bool, err error) {
	r, found, err := t.Store.Record(ctx, id)
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
	allowed, err := t.Store.TakeReadBudget(ctx, t.now(), maxReadsPerMinute)
	if err != nil || !allowed {
		return false, err
	}
	sum.Asked++
	return t.askDue(ctx, r, sum)
}

// tooOld reports whether the session is too old to ask about, unless a task still waits on it.
func (t *Tracker) tooOld(ctx context.Context, r Record) (bool, error) {
	if t.now().Sub(r.CreatedAt) < maxAskedAge {
		return false, nil
	}
	if !r.Awaited {
		return true, nil
	}
	tokens, err := t.Store.Tokens(ctx, r.SessionID)
	return len(tokens) == 0, err
}

// askDue asks Didit about a session that is due. Its results are those of reconcile.
func (t *Tracker) askDue(ctx context.Context, r Record, sum *Reconciled) (proceed bool, err error) {
	e, err := t.ask(ctx, r.SessionID)
	if err != nil {
		failure := AsError(err)
		switch failure.Code {
		case CodeNotFound:
			return t.unlessFailed(ctx, r.SessionID, t.giveUp(ctx, r))
		case CodeThrottled:
			t.logRecovered(ctx, failure)
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

// unlessFailed puts off a session that failed, so that it does not hold up the others at every run.
// Its results are those of reconcile.
func (t *Tracker) unlessFailed(ctx context.Context, id string, failed error) (proceed bool, err error) {
	if failed == nil {
		return true, nil
	}
	if err := t.putOff(ctx, id); err != nil {
		t.logRecovered(ctx, failed)
		return false, err
	}
	return true, failed
}

// askAgainLater makes the session due after twice as long as the last time. A session that is
// finished and has no tasks to complete is no longer due.
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
		pause = min(2*pause, maxPause)
	}
	r.DueFrom = t.now().Add(pause - t.reconcileAfter())
}

// putOff resets the reconcile timer of a session that is due.
func (t *Tracker) putOff(ctx context.Context, id string) error {
	r, found, err := t.Store.Record(ctx, id)
	if err != nil || !found || r.DueFrom.IsZero() {
		return err
	}
	r.DueFrom = t.now()
	_, err = t.Store.Replace(ctx, r)
	return err
}

// giveUp fails the tasks of a session that Didit no longer knows, and makes it not due.
func (t *Tracker) giveUp(ctx context.Context, r Record) error {
	tokens, err := t.Store.Tokens(ctx, r.SessionID)
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

package verification

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"sync"
	"time"
)

const (
	// minTimeLeft must be left of a run's deadline for one more session: a read at Didit and a write.
	minTimeLeft = 5 * time.Second
	// maxFailures in a row end a run, or the part of it that completes tasks: a shared dependency is
	// probably down.
	maxFailures = 3
	// maxAtOnce is [Tracker.AtOnce] if that is not set.
	maxAtOnce = 8
	// maxMissing answers that there is no such session, and no other answer, fail a run.
	maxMissing = 5
)

// Reconciled is the result of one run.
type Reconciled struct {
	Asked   int // sessions that Didit was asked about
	Changed int // of these, those whose status had changed
	Failed  int // sessions that were left for a later run
	Due     int // sessions that were looked at

	// OldestOverdue is how long the first two classes have kept a session waiting at most.
	OldestOverdue time.Duration
	// OldestTask is the age of the oldest session looked at that a task waits on, which is about that
	// of the task. A session that a task waits on is looked at once a day at least.
	OldestTask time.Duration
}

// Reconcile asks Didit about the sessions that are due, and handles each status as if a webhook had
// delivered it. It also completes tasks that a crash left waiting. A session is due ReconcileAfter
// after its last change, then after twice as long each time, at most a day, until its status is
// final, or until it is 30 days old and no task waits on it; one that was not begun and that no
// task waits on, after 15 min, 45 min, 1 h 45 min, and 1, 3 and 8 days; one in doubt at once. The
// order is that of [Class], and in each class the longest due come first.
//
// A session that fails is put off, for twice as long each time, and does not hold up the others.
// Three answers of Didit, over an hour at least, that it has no such session fail its tasks, if
// Didit knew another session of the same workflow in the same run.
//
// Reconcile stops early, without an error, when its half of the minute's reads is used up, when
// Didit throttles, when three sessions in a row fail, and when its time is over; the rest is due at
// the next run. Tasks that cannot be completed end the first class alone. It returns an [*Error]
// when Didit refuses the credentials or they cannot be used, when Didit knows none of five
// sessions, and when the table cannot be reached.
func (t *Tracker) Reconcile(ctx context.Context) (Reconciled, error) {
	run := &reconciliation{Tracker: t, answered: map[string]bool{}}
	run.free.L = &run.mu
	class := ClassTasks
	for ; class <= ClassOther; class++ {
		run.begins(class)
		if !run.goesOn(ctx) {
			break
		}
		run.handle(ctx, t.Store.Due(ctx, class, t.now()))
	}
	if class == ClassUnread {
		run.peek(ctx, ClassUnread)
	}
	run.judgeMissing(ctx)
	return run.sum, run.err
}

// reconciliation is one run. One goroutine goes through the lists, so that the order holds, and
// others do what takes time. The mutex guards the fields after it.
type reconciliation struct {
	*Tracker
	minute time.Time // that taken is about
	taken  int       // reads

	mu       sync.Mutex
	free     sync.Cond // that a session is no longer under way
	underWay int       // sessions
	works    bool      // the last session that was asked about, or had tasks, did not fail
	class    Class     // the one that is being handled
	inARow   int       // sessions of the class that failed
	sum      Reconciled
	over     bool
	err      error
	answered map[string]bool // workflows of which Didit knew a session; the empty one stands for any
	missing  []Record        // as they were when Didit answered that it has no such session
}

// begins begins with a class.
func (run *reconciliation) begins(class Class) {
	run.mu.Lock()
	defer run.mu.Unlock()
	run.class, run.inARow = class, 0
}

// goesOn waits until another session may be handled, and reports whether one of the class is. Until
// one has succeeded, and after a failure, it is one at a time: a shared dependency may be down.
func (run *reconciliation) goesOn(ctx context.Context) bool {
	run.mu.Lock()
	defer run.mu.Unlock()
	for run.underWay > 0 && (!run.works || run.underWay >= cmp.Or(run.AtOnce, maxAtOnce)) {
		run.free.Wait()
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < minTimeLeft {
		run.over = true
	}
	return !run.over && run.inARow < maxFailures
}

// stop ends the run after the sessions that are under way, with the error if it is the first.
func (run *reconciliation) stop(err error) {
	run.mu.Lock()
	defer run.mu.Unlock()
	run.over, run.err = true, cmp.Or(run.err, err)
}

// handle handles the sessions of a list.
func (run *reconciliation) handle(ctx context.Context, due iter.Seq2[string, error]) {
	var all sync.WaitGroup
	defer all.Wait()
	for id, err := range due {
		if err != nil {
			run.stop(err)
		}
		if !run.goesOn(ctx) {
			return
		}
		work, err := run.begin(ctx, id)
		switch {
		case work == nil:
			run.failed(ctx, err)
		case run.AtOnce == 1:
			run.failed(ctx, work())
		default:
			run.mu.Lock()
			run.underWay++
			run.mu.Unlock()
			all.Go(func() {
				run.failed(ctx, work())
				run.mu.Lock()
				defer run.mu.Unlock()
				run.underWay--
				run.free.Signal()
			})
		}
	}
}

// failed counts a session that failed, and logs its error unless it is the run's or nil.
func (run *reconciliation) failed(ctx context.Context, err error) {
	if err == nil {
		return
	}
	run.mu.Lock()
	defer run.mu.Unlock()
	run.sum.Failed++
	if !errors.Is(err, run.err) {
		run.logRecovered(ctx, err)
	}
	if concernsOne(err) {
		return
	}
	run.works = false
	if run.inARow++; run.inARow == maxFailures && run.class != ClassTasks {
		run.over = true
	}
}

// concernsOne reports whether an error is probably that of one session and not of what all depend
// on: a record that cannot be read, or a task that can never be ended, such as one whose state
// machine has a key of its own that the function may not use.
func concernsOne(err error) bool {
	_, ofTask := errors.AsType[taskError](err)
	return errors.Is(err, ErrUnreadable) || ofTask && AsError(err).Code == CodeInternal
}

// begin looks at a session, and returns what is to be done about it, if anything is. Its errors,
// and those of the work, concern this session alone, or have ended the run.
func (run *reconciliation) begin(ctx context.Context, id string) (work func() error, err error) {
	r, found, err := run.Store.Record(ctx, id)
	if errors.Is(err, ErrUnreadable) {
		return nil, err
	}
	if err != nil {
		return nil, run.end(ctx, err)
	}
	if !found || r.Erased || !r.isDue(run.now()) {
		return nil, nil // the list lags behind the records
	}
	run.measure(r)
	if r.Final() && r.Awaited {
		return func() error { return run.unlessFailed(ctx, id, run.settle(ctx, r)) }, nil
	}
	done, err := run.finished(ctx, r)
	if err != nil {
		return nil, run.end(ctx, err)
	}
	if !done {
		return run.beginRead(ctx, r)
	}
	r.DueFrom = time.Time{}
	if _, err := run.Store.Replace(ctx, r); err != nil {
		return nil, run.end(ctx, err)
	}
	return nil, nil
}

// measure counts a session that is due.
func (run *reconciliation) measure(r Record) {
	run.mu.Lock()
	defer run.mu.Unlock()
	now := run.now()
	run.sum.Due++
	if r.Class() <= ClassUnread {
		run.sum.OldestOverdue = max(run.sum.OldestOverdue, now.Sub(r.DueFrom))
	}
	if r.Awaited {
		run.sum.OldestTask = max(run.sum.OldestTask, now.Sub(r.CreatedAt))
	}
}

// peek measures the first session of a class to which the run did not come.
func (run *reconciliation) peek(ctx context.Context, class Class) {
	for id, err := range run.Store.Due(ctx, class, run.now()) {
		if err != nil {
			return
		}
		if r, found, err := run.Store.Record(ctx, id); err == nil && found && r.isDue(run.now()) {
			run.measure(r)
			return
		}
	}
}

// end ends the run and returns the error, which is that of the run unless its time is over.
func (run *reconciliation) end(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		run.stop(nil)
	} else {
		run.stop(err)
	}
	return err
}

// finished reports whether there is nothing more to ask about the session.
func (run *reconciliation) finished(ctx context.Context, r Record) (bool, error) {
	switch {
	case r.Final(): // due, because it is in doubt or was created again
		return !r.UnknownSince.IsZero(), nil
	case run.now().Sub(r.CreatedAt) < maxAskedAge:
		return false, nil
	case !r.Awaited:
		return r.DoubtAt.IsZero(), nil
	}
	tokens, err := run.Store.Tokens(ctx, r.SessionID)
	return len(tokens) == 0 && r.DoubtAt.IsZero(), err
}

// unlessFailed puts off a session that failed, so that it does not hold up the others at every run.
func (run *reconciliation) unlessFailed(ctx context.Context, id string, failed error) error {
	if failed == nil {
		run.mu.Lock()
		defer run.mu.Unlock()
		run.works, run.inARow = true, 0
		return nil
	}
	_, err := update(ctx, run.Store, id, func(r Record) (Record, bool, error) {
		m := run.moment()
		if !r.isDue(m.now) {
			return r, false, nil
		}
		return r.failed(m), true, nil
	})
	if err != nil {
		run.logRecovered(ctx, failed)
		return run.end(ctx, err)
	}
	return failed
}

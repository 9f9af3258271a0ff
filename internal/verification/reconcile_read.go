package verification

import (
	"context"
	"time"
)

// beginRead claims a read of a session that is due, if reads are left in the minute and the session
// was not read in the last one, and returns the rest. Its errors are those of begin.
func (run *reconciliation) beginRead(ctx context.Context, r Record) (work func() error, err error) {
	limit, err := run.readsPerMinute(ctx)
	if err != nil {
		return nil, run.unanswered(ctx, r, err)
	}
	now := run.now()
	if limit /= 2; !run.left(now, limit) { // then no session is claimed in vain
		run.stop(nil)
		return nil, nil
	}
	claimed, ok, err := run.Store.Claim(ctx, r.SessionID, now, maxAge)
	if err != nil {
		return nil, run.end(ctx, err)
	}
	if !ok || claimed.Version != r.Version {
		return nil, nil // read, or changed, by another process: the next run sees
	}
	allowed, err := run.Store.TakeReadBudget(ctx, ReaderReconcile, now, limit)
	if err != nil {
		return nil, run.end(ctx, err)
	}
	if !allowed {
		run.stop(nil)
		return nil, nil
	}
	run.taken++
	return func() error { return run.read(ctx, claimed) }, nil
}

// read reads a claimed session at Didit.
func (run *reconciliation) read(ctx context.Context, r Record) error {
	e, err := run.ask(ctx, r)
	run.count(r, e, err)
	if err != nil {
		return run.unanswered(ctx, r, err)
	}
	fresh, err := run.observe(ctx, e, false)
	if err == nil && fresh.SessionID != "" && !fresh.Erased && fresh.Status != r.Status {
		run.mu.Lock()
		run.sum.Changed++
		run.mu.Unlock()
	}
	return run.unlessFailed(ctx, r.SessionID, err)
}

// left reports whether reads are left in the minute, as far as this run knows.
func (run *reconciliation) left(now time.Time, limit int) bool {
	if minute := now.Truncate(time.Minute); !run.minute.Equal(minute) {
		run.minute, run.taken = minute, 0
	}
	return run.taken < limit
}

// count counts a read and its answer.
func (run *reconciliation) count(r Record, e Event, err error) {
	run.mu.Lock()
	defer run.mu.Unlock()
	run.sum.Asked++
	switch {
	case err == nil:
		run.answered[""], run.answered[r.WorkflowID], run.answered[e.WorkflowID] = true, true, true
	case AsError(err).Code == CodeNotFound:
		if run.missing = append(run.missing, r); len(run.missing) >= maxMissing && len(run.answered) == 0 && run.err == nil {
			run.over, run.err = true, NewError(CodeInternal, "Didit knows none of our sessions: is the key another application's?")
		}
	}
}

// unanswered handles a failed read. Its errors are those of begin.
func (run *reconciliation) unanswered(ctx context.Context, r Record, err error) error {
	failure := AsError(err)
	switch failure.Code {
	case CodeNotFound:
		return nil // see judgeMissing
	case CodeThrottled:
		run.logRecovered(ctx, failure)
		run.stop(nil)
		return nil
	case CodeCredentialsRejected, CodeSecretUnavailable:
		run.stop(failure)
		return failure
	default:
		return run.unlessFailed(ctx, r.SessionID, failure)
	}
}

// judgeMissing handles the sessions that Didit answered not to have, at the end of the run. A
// narrowed key, or that of another application, gets that answer about every session, so it counts
// only if Didit knew another session of the same workflow.
func (run *reconciliation) judgeMissing(ctx context.Context) {
	for _, read := range run.missing {
		err := run.judge(ctx, read, run.answered[read.WorkflowID])
		if err != nil || !run.answered[read.WorkflowID] {
			run.sum.Failed++
		}
		run.logRecovered(ctx, err)
	}
}

// judge handles one of them. If the record changed meanwhile, the session stays due.
func (run *reconciliation) judge(ctx context.Context, read Record, counts bool) error {
	r, found, err := run.Store.Record(ctx, read.SessionID)
	if err != nil || !found || r.Erased || r.News != read.News {
		return err
	}
	m := run.moment()
	switch {
	case r.Final():
		r, _ = r.missing(m)
	case counts:
		r = r.unknown(m)
	default:
		if counting := r.UnknownReads > 0; counting {
			r.Unread, r.DueFrom = false, m.now.Add(unknownPause)
		} else {
			r = r.failed(m)
		}
	}
	var failed error
	if counts && r.lost() && !r.Final() {
		if failed = run.failTasks(ctx, r.SessionID); failed == nil {
			r.Awaited = false
		} else {
			r = r.failed(m)
			if least := m.now.Add(unknownPause); r.DueFrom.Before(least) {
				r.DueFrom = least
			}
		}
	}
	if _, err := run.Store.Replace(ctx, r); err != nil {
		return err
	}
	return failed
}

// failTasks ends the tasks of a session that Didit has come to not know.
func (run *reconciliation) failTasks(ctx context.Context, id string) error {
	tokens, err := run.Store.Tokens(ctx, id)
	if err != nil {
		return err
	}
	return run.endTasks(ctx, id, tokens, func(token string) error {
		return run.Tasks.Fail(ctx, token, TaskSessionNotFound, "Didit does not know the session any more.")
	})
}

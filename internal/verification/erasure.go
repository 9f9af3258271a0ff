package verification

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"sync"
	"time"
)

// erasure is one call. The mutex guards the fields after it, and the sessions' own.
type erasure struct {
	*Eraser
	vendorData  string
	listed      bool // Didit has listed all sessions
	refused     bool // Didit refuses every further request of this call
	userDeleted bool
	markedAt    time.Time // the last session

	mu       sync.Mutex
	ids      []string // of the sessions, in the order in which they were found
	sessions map[string]*erasedSession
	first    error
}

// erasedSession is what a call has done about a session.
type erasedSession struct {
	listed      bool // by Didit
	marked      bool
	tasksFailed bool
	gone        bool // from Didit
}

// fail keeps the first error, and logs the others.
func (run *erasure) fail(ctx context.Context, err error) {
	if err == nil {
		return
	}
	run.mu.Lock()
	defer run.mu.Unlock()
	if run.first == nil {
		run.first = AsError(err)
		return
	}
	if run.LogRecovered != nil {
		run.LogRecovered(ctx, AsError(err))
	}
}

// add notes a session, and reports whether it is new to this call. listed tells that it comes from
// Didit.
func (run *erasure) add(id string, listed bool) bool {
	run.mu.Lock()
	defer run.mu.Unlock()
	if run.sessions[id] != nil {
		return false
	}
	run.ids = append(run.ids, id)
	run.sessions[id] = &erasedSession{listed: listed}
	return true
}

// find lists the end user's sessions at Didit, and reports whether there are new ones. It returns
// an error only if Didit lists a session of another end user: it has ignored what it was asked for
// then, and everybody's sessions would be deleted.
func (run *erasure) find(ctx context.Context) (found bool, err error) {
	var ids []string
	run.listed = true
	for s, err := range run.Didit.ListSessions(ctx, run.vendorData) {
		if err != nil {
			run.listed = false
			run.unanswered(ctx, "list the sessions of the end user", err)
			break
		}
		id, ok := normalID(s.ID)
		switch {
		case s.VendorData == nil || *s.VendorData != run.vendorData:
			return false, NewError(CodeInternal, "Didit lists sessions of other end users than the one that was asked for: nothing more is deleted")
		case !ok:
			return false, NewError(CodeInternal, "Didit lists a session whose id is not a UUID: nothing more is deleted")
		}
		ids = append(ids, id)
	}
	for _, id := range ids {
		found = run.add(id, true) || found
	}
	return found, nil
}

// mark marks the sessions that were found, and those in the list of the end user's records, as
// erased.
func (run *erasure) mark(ctx context.Context) {
	run.each(ctx, run.markOne, func(s *erasedSession) bool { return !s.marked })
	for pass := range 2 {
		if pass > 0 {
			run.sleep(ctx, ownerLag)
		}
		for id, err := range run.Store.Owned(ctx, run.vendorData) {
			if err != nil {
				run.fail(ctx, err)
				break
			}
			run.add(id, false)
		}
		run.each(ctx, run.markOne, func(s *erasedSession) bool { return !s.marked })
	}
}

func (run *erasure) markOne(ctx context.Context, id string, s *erasedSession) error {
	now := run.now()
	marked, gone, err := run.Store.MarkErased(ctx, Record{
		SessionID: id, VendorData: run.vendorData, CreatedAt: now, Expires: now.Add(erasedRetention).Truncate(time.Second)})
	if err != nil {
		return err
	}
	run.mu.Lock()
	defer run.mu.Unlock()
	if !marked {
		delete(run.sessions, id)
		return NewError(CodeInternal, "session "+id+" is on record for another end user than Didit says, and was left alone")
	}
	s.marked, s.gone = true, gone && !s.listed
	run.markedAt = run.now()
	return nil
}

// failTasks ends the tasks that wait on marked sessions. Await stores a token before it looks at
// the record, so that it finds the mark, or this finds the token.
func (run *erasure) failTasks(ctx context.Context) {
	run.each(ctx, func(ctx context.Context, id string, s *erasedSession) error {
		tokens, err := run.Store.Tokens(ctx, id)
		if err != nil {
			return err
		}
		for _, token := range tokens {
			taskErr := run.Tasks.Fail(ctx, token, TaskUserErased, "The end user was erased.")
			if taskErr == nil {
				taskErr = run.Store.RemoveToken(ctx, id, token)
			}
			err = cmp.Or(err, taskErr)
		}
		s.tasksFailed = err == nil
		return err
	}, func(s *erasedSession) bool { return s.marked && !s.tasksFailed })
}

// each does the work for the sessions that need it, several at a time, until three in a row fail
// because a service seems to be down.
func (run *erasure) each(ctx context.Context, work func(context.Context, string, *erasedSession) error, needs func(*erasedSession) bool) {
	var all sync.WaitGroup
	free := make(chan struct{}, cmp.Or(run.AtOnce, maxAtOnce))
	inARow := 0
	for _, id := range run.ids {
		free <- struct{}{}
		run.mu.Lock()
		s, over := run.sessions[id], inARow >= maxFailures
		due := s != nil && !over && needs(s)
		run.mu.Unlock()
		if !due {
			<-free
			continue
		}
		one := func() {
			defer func() { <-free }()
			err := work(ctx, id, s)
			run.fail(ctx, err)
			run.mu.Lock()
			defer run.mu.Unlock()
			if inARow++; !isDown(err) {
				inARow = 0
			}
		}
		if cap(free) == 1 {
			one()
			continue
		}
		all.Go(one)
	}
	all.Wait()
}

// deleteSessions deletes the marked sessions at Didit, one after the other: Didit's client paces
// them.
func (run *erasure) deleteSessions(ctx context.Context) {
	inARow := 0
	for _, id := range run.ids {
		s := run.sessions[id]
		if s == nil || !s.marked || s.gone {
			continue
		}
		if run.refused || inARow >= maxFailures {
			return
		}
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < eraseReserve {
			run.refused = true
			run.fail(ctx, &Error{Code: CodeThrottled, RetryAfter: defaultRetryAfter,
				Reason: "more sessions are left than one call can delete at Didit: call again"})
			return
		}
		if err := run.Didit.DeleteSession(ctx, id); err != nil && explain(err).Code != CodeNotFound {
			if inARow++; !isDown(explain(err)) {
				inARow = 0
			}
			run.unanswered(ctx, "delete a session", err)
			continue
		}
		inARow, s.gone = 0, true
		// The next call counts it, and does not delete it again.
		_, _, err := run.Store.MarkErased(ctx, Record{
			SessionID: id, VendorData: run.vendorData, CreatedAt: run.now(), Gone: true, Expires: run.now().Add(erasedRetention).Truncate(time.Second)})
		run.fail(ctx, err)
	}
}

// deleteUser deletes the user at Didit, unless sessions may be left that Didit would not list any
// more after that.
func (run *erasure) deleteUser(ctx context.Context) {
	if !run.listed || run.refused || !run.every(func(s *erasedSession) bool { return s.marked }) {
		return
	}
	err := run.Didit.DeleteUser(ctx, run.vendorData)
	if err != nil && explain(err).Code != CodeNotFound {
		run.unanswered(ctx, "delete the user", err)
		return
	}
	run.userDeleted = true
}

// unanswered notes that Didit did not do what it was asked for.
func (run *erasure) unanswered(ctx context.Context, what string, err error) {
	failure := explain(err)
	switch failure.Code {
	case CodeThrottled, CodeCredentialsRejected, CodeSecretUnavailable:
		run.refused = true
	case CodeInvalidRequest, CodeNotFound:
		failure = NewError(CodeInternal, "Didit refuses to "+what)
	}
	run.fail(ctx, failure)
}

// strip removes what is left of the records, once all sessions are gone from Didit and no task
// waits: until then the next call finds them by their owner.
func (run *erasure) strip(ctx context.Context) {
	if !run.listed || !run.every(func(s *erasedSession) bool { return s.gone && s.tasksFailed }) {
		return
	}
	run.each(ctx, func(ctx context.Context, id string, _ *erasedSession) error { return run.Store.Strip(ctx, id) },
		func(*erasedSession) bool { return true })
}

// isDown reports whether an error may be that of every session, because a service is out of reach.
func isDown(err error) bool {
	return err != nil && AsError(err).Code != CodeInternal && AsError(err).Code != CodeInvalidRequest
}

// every reports whether all sessions are so.
func (run *erasure) every(so func(*erasedSession) bool) bool {
	for _, s := range run.sessions {
		if !so(s) {
			return false
		}
	}
	return true
}

// result counts what was done.
func (run *erasure) result() Erased {
	sum := Erased{Sessions: len(run.sessions), UserDeleted: run.userDeleted}
	for _, s := range run.sessions {
		if s.gone {
			sum.Deleted++
		}
	}
	return sum
}

// publish publishes that the end user was erased, after everything that was published before the
// sessions were marked.
func (run *erasure) publish(ctx context.Context) error {
	if !run.markedAt.IsZero() {
		run.sleep(ctx, maxPublishing-run.now().Sub(run.markedAt))
	}
	at := run.now().Truncate(time.Second)
	sum := sha256.Sum256([]byte(run.vendorData + "\n" + strconv.FormatInt(at.Unix(), 10)))
	return run.Bus.Publish(ctx, Event{
		ID: "erased:" + hex.EncodeToString(sum[:16]), UserErased: true, VendorData: run.vendorData, OccurredAt: at, SentAt: at})
}

package verification_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"didit-sessions/internal/verification"
)

// times is how often a session was asked about.
func (w *wire) times(id string) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, asked := range w.asked {
		if asked == id {
			n++
		}
	}
	return n
}

// keyDenied is why the tasks of a state machine with a key of its own may never end.
func keyDenied() error {
	return verification.NewError(verification.CodeInternal, "the function may not use the state machine's KMS key")
}

// change changes the record of a session.
func (s *system) change(t *testing.T, id string, change func(*verification.Record)) {
	t.Helper()
	r := s.stored(t, id)
	change(&r)
	if ok, err := s.store.Replace(t.Context(), r); !ok || err != nil {
		t.Fatal(ok, err)
	}
}

// refusing refuses to end the tasks whose tokens begin with stuck. It is safe for concurrent use.
type refusing struct {
	verification.Tasks

	mu    sync.Mutex
	tried map[string]int
}

func (r *refusing) refuses(token string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tried == nil {
		r.tried = map[string]int{}
	}
	r.tried[token]++
	return strings.HasPrefix(token, "stuck")
}

func (r *refusing) Succeed(ctx context.Context, token string, output []byte) error {
	if r.refuses(token) {
		return keyDenied()
	}
	return r.Tasks.Succeed(ctx, token, output)
}

func (r *refusing) Fail(ctx context.Context, token, name, cause string) error {
	if r.refuses(token) {
		return keyDenied()
	}
	return r.Tasks.Fail(ctx, token, name, cause)
}

// Ensure that tasks that can never be ended, however many, hold up neither other tasks nor reads,
// and are tried less and less often.
func TestTracker_Reconcile_stuckTasks(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		stuck int
		after time.Duration
	}{{3, time.Minute}, {60, 15 * time.Minute}} {
		s := newSystem()
		s.ReconcileAfter = test.after
		tasks := &refusing{Tasks: s.Tasks}
		s.Tasks = tasks
		s.wire.set(says("Approved"))
		s.many(t, test.stuck+2)
		for n := range test.stuck + 1 {
			s.change(t, numbered(n), func(r *verification.Record) {
				r.Awaited, r.Status, r.Unread, r.DueFrom = true, "Approved", false, s.clock.now().Add(time.Duration(n-test.stuck-1)*time.Second)
			})
			token := fmt.Sprint("stuck", n)
			if n == test.stuck {
				token = "good"
			}
			s.tasks.Open(token)
			if err := s.store.AddToken(t.Context(), numbered(n), token); err != nil {
				t.Fatal(err)
			}
		}
		sum, err := s.Reconcile(t.Context())
		wantCode(t, "Reconcile", err, "")
		want(t, "failed", sum.Failed, test.stuck)
		want(t, "asked", sum.Asked, 1)
		want(t, "the task behind them", s.ended("good"), "Approved")
		want(t, "the session behind them", s.stored(t, numbered(test.stuck+1)).Status, "Approved")
		for range 24 * 60 {
			s.clock.pass(time.Minute)
			_, err := s.Reconcile(t.Context())
			wantCode(t, "Reconcile", err, "")
		}
		if got := tasks.tried["stuck0"]; got < 4 || got > 12 {
			t.Errorf("with %v: tried %d times in a day, want it after 1, 2, 4 … times that", test.after, got)
		}
	}
}

// Ensure that what a read finds is recorded for all, where the tasks of all are stuck.
func TestTracker_Reconcile_stuckAfterReads(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.wire.set(says("Approved"))
	s.many(t, 10)
	for n := range 10 {
		s.change(t, numbered(n), func(r *verification.Record) { r.Awaited = true })
		if err := s.store.AddToken(t.Context(), numbered(n), "stuck"); err != nil {
			t.Fatal(err)
		}
	}
	s.refuse["Succeed"] = keyDenied()
	want(t, "one run", s.reconcile(t), "asked 10, changed 0, failed 10")
	for n := range 10 {
		want(t, "status", s.stored(t, numbered(n)).Status, "Approved")
	}
}

// Ensure that tasks that cannot be ended because the service is down end the first class, not the
// run.
func TestTracker_Reconcile_tasksDown(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.wire.set(says("In Progress"))
	s.many(t, 12)
	for n := range 10 {
		s.change(t, numbered(n), func(r *verification.Record) { r.Awaited, r.Status = true, "Approved" })
		if err := s.store.AddToken(t.Context(), numbered(n), token+numbered(n)); err != nil {
			t.Fatal(err)
		}
	}
	s.refuse["Succeed"] = down()
	want(t, "one run", s.reconcile(t), "asked 2, changed 2, failed 3")
}

// Ensure that a final record that was made due stays due while Didit does not answer.
func TestTracker_Reconcile_finalUnanswered(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.record(t, session, func(r *verification.Record) { r.Status, r.Source = "In Progress", verification.SourceEvent })
	s.clock.pass(2 * time.Minute)
	s.wire.set(func(id string, r *http.Request) response { // a read that began before the event that it meets
		s.clock.pass(time.Second)
		wantCode(t, "Track", s.track(t, "e1", "Approved", s.clock.now()), "")
		return says("Declined")(id, r)
	})
	_, err := s.Status(t.Context(), owner, session)
	wantCode(t, "Status", err, "")
	want(t, "in doubt", s.stored(t, session).DoubtAt.IsZero(), true)
	s.wire.set(fails(503))
	for range 4 {
		s.clock.pass(s.stored(t, session).DueFrom.Sub(s.clock.now()) + time.Minute)
		want(t, "no answer", s.reconcile(t), "asked 1, changed 0, failed 1")
		want(t, "due", s.stored(t, session).DueFrom.After(s.clock.now()), true)
	}
	s.wire.set(says("Declined"))
	s.clock.pass(24 * time.Hour)
	want(t, "an answer", s.reconcile(t), "asked 1, changed 1, failed 0")
	want(t, "due", s.stored(t, session).DueFrom.IsZero(), true)
}

// Ensure that an old session in doubt is read although no task waits on it any more.
func TestTracker_Reconcile_oldDoubt(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.record(t, session, func(r *verification.Record) {
		r.Status, r.Source, r.Awaited = "In Progress", verification.SourceEvent, true
	})
	s.clock.pass(31 * 24 * time.Hour)
	s.change(t, session, func(r *verification.Record) { r.DoubtAt, r.DueFrom = s.clock.now(), s.clock.now() })
	s.clock.pass(time.Minute)
	s.wire.set(says("Approved"))
	want(t, "run", s.reconcile(t), "asked 1, changed 1, failed 0")
}

// Ensure that a new task on a session that Didit does not know fails only by an answer that counts.
func TestTracker_Reconcile_lostAndAwaitedAgain(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.record(t, session, func(r *verification.Record) { r.Status = "In Progress" })
	s.change(t, session, func(r *verification.Record) {
		r.UnknownReads, r.UnknownSince, r.DueFrom, r.Unread = 3, s.clock.now(), time.Time{}, false
	})
	s.clock.pass(time.Hour)
	s.tasks.Open(token)
	s.wire.set(gone("In Progress", session))
	wantCode(t, "Await", s.Await(t.Context(), session, token), "")
	for range 3 {
		s.clock.pass(time.Hour)
		s.reconcile(t)
		want(t, "task, while nothing is known of the others", s.ended(token), "")
	}
	s.clock.pass(time.Hour)
	s.neighbor(t, workflow)
	s.reconcile(t)
	want(t, "task", s.ended(token), verification.TaskSessionNotFound)
	want(t, "not due", s.stored(t, session).DueFrom.IsZero(), true)
}

// Ensure that a key that knows none of our sessions rings an alarm even if the minute's reads are
// over before the fifth answer comes.
func TestTracker_Reconcile_missingAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSystem()
		s.AtOnce, s.ReadsPerMinute = 8, 10
		s.many(t, 41)
		s.change(t, numbered(40), func(r *verification.Record) { r.Awaited, r.Status = true, "Approved" }) // one that works
		s.wire.set(func(id string, r *http.Request) response {
			time.Sleep(time.Second)
			return fails(404)(id, r)
		})
		sum, err := s.Reconcile(t.Context())
		want(t, "asked", sum.Asked, 5)
		wantCode(t, "Reconcile", err, verification.CodeInternal)
	})
}

// Ensure that the tasks of an erased end user end, where others' cannot be ended.
func TestEraser_Erase_stuckTasks(t *testing.T) {
	t.Parallel()
	for _, atOnce := range []int{1, 8} {
		s := newErasing()
		s.eraser.AtOnce = atOnce
		for n := range 20 {
			prefix := "good"
			if n >= 10 {
				prefix = "stuck" // Didit lists the newest first
			}
			s.wait(t, s.session(t, someone, "In Progress"), fmt.Sprint(prefix, n))
		}
		s.eraser.Tasks = &refusing{Tasks: s.eraser.Tasks}
		got, err := s.eraser.Erase(t.Context(), someone)
		wantCode(t, "Erase", err, verification.CodeInternal)
		want(t, "deleted at Didit", len(s.left()), 0)
		for n := range 10 {
			want(t, fmt.Sprintf("at once %d, %+v, task %d", atOnce, got, n), s.ended(fmt.Sprint("good", n)), verification.TaskUserErased)
		}
	}
}

// Ensure that a session that Didit hands out is asked about where its record says that it is over,
// or that Didit does not know it.
func TestCreator_Create_handedOutAgain(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		record func(*verification.Record)
		next   verification.Next
	}{
		{"final", func(r *verification.Record) { r.Status, r.DueFrom = "Declined", time.Time{} }, verification.NextVerify},
		{"final, and once not known", func(r *verification.Record) {
			r.Status, r.DueFrom, r.UnknownSince = "Declined", time.Time{}, noon()
		}, verification.NextVerify},
		{"lost", func(r *verification.Record) {
			r.Status, r.DueFrom, r.UnknownSince, r.UnknownReads = "In Progress", time.Time{}, noon(), 3
		}, verification.NextVerify},
		{"being lost", func(r *verification.Record) { r.UnknownSince, r.UnknownReads = noon(), 2 }, verification.NextVerify},
	} {
		s := newSystem()
		s.record(t, session, nil)
		s.change(t, session, func(r *verification.Record) {
			r.Source = verification.SourceEvent
			test.record(r)
			r.Unread = false
		})
		before := s.stored(t, session)
		s.clock.pass(30 * time.Hour)
		c := &verification.Creator{Didit: made(nil), Store: s.Store.(*backend), Policy: verification.Policy{WorkflowIDs: []string{workflow}}, Now: s.clock.now, LookLimit: time.Hour}
		_, err := c.Create(t.Context(), asOwner())
		wantCode(t, test.name, err, "")
		r := s.stored(t, session)
		want(t, test.name+": status", r.Status, before.Status)
		want(t, test.name+": created at", r.CreatedAt, before.CreatedAt)
		want(t, test.name+": not known", r.UnknownSince.IsZero() && r.UnknownReads == 0, true)
		want(t, test.name+": due", r.DueFrom.IsZero(), false)
		s.wire.set(says("Resubmitted"))
		s.clock.pass(2 * time.Minute)
		got, err := s.Status(t.Context(), owner, session)
		wantCode(t, test.name, err, "")
		want(t, test.name+": status that is shown", got.Status, "Resubmitted")
		want(t, test.name+": next", got.Next(), test.next)
	}
}

// Ensure that a record is kept for its tasks, and after them as long as any other.
func TestTracker_retentionAfterTasks(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.Retention = 48 * time.Hour
	s.record(t, session, func(r *verification.Record) { r.Expires = s.clock.now().Add(48 * time.Hour) })
	s.wire.set(says("In Progress"))
	s.tasks.Open(token)
	wantCode(t, "Await", s.Await(t.Context(), session, token), "")
	want(t, "expires, awaited", s.stored(t, session).Expires.Sub(s.clock.now()), verification.TaskRetention)
	s.clock.pass(100 * time.Hour)
	wantCode(t, "Track", s.track(t, "e1", "Approved", s.clock.now()), "")
	want(t, "task", s.ended(token), "Approved")
	want(t, "expires", s.stored(t, session).Expires.Sub(s.clock.now()), 48*time.Hour)
}

package verification_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"didit-sessions/internal/verification"
)

// numbered is the id of one of many sessions.
func numbered(n int) string { return fmt.Sprintf("99999999-2222-3333-4444-%012d", n) }

// reconcile runs once, and tells its sum.
func (s *system) reconcile(t *testing.T) string {
	t.Helper()
	sum, err := s.Reconcile(t.Context())
	wantCode(t, "Reconcile", err, "")
	return fmt.Sprintf("asked %d, changed %d, failed %d", sum.Asked, sum.Changed, sum.Failed)
}

// Ensure that a session is asked about 15 minutes after its last change, then after twice as long
// each time, at most a day, until it is 30 days old.
func TestTracker_Reconcile_times(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.wire.set(says("In Progress"))
	s.record(t, session, nil)
	wantCode(t, "Track", s.track(t, "e1", "In Progress", noon()), "")
	const step = time.Minute
	var at []time.Duration
	for elapsed := time.Duration(0); elapsed < 40*24*time.Hour; elapsed += step {
		before := s.wire.count()
		if due, _ := s.store.Due(t.Context(), s.clock.now().Add(-15*time.Minute), 1); len(due) > 0 {
			s.reconcile(t)
		}
		if s.wire.count() > before {
			at = append(at, elapsed)
		}
		s.clock.pass(step)
	}
	m, h := time.Minute, time.Hour
	pauses := []time.Duration{15 * m, 30 * m, h, 2 * h, 4 * h, 8 * h, 16 * h, 24 * h, 24 * h, 24 * h}
	last := time.Duration(0)
	for n, pause := range pauses {
		if n >= len(at) || at[n]-last != pause {
			t.Fatalf("asked at %v, want pauses of %v", at, pauses)
		}
		last = at[n]
	}
	if end := at[len(at)-1]; end >= 30*24*time.Hour || end < 29*24*time.Hour-h {
		t.Errorf("asked last after %v, want it in the days before the 30th", end)
	}
	want(t, "not due in the end", s.stored(t, session).DueFrom.IsZero(), true)
	want(t, "published", len(s.bus.Published()), 0)
}

// Ensure that a change begins anew, and that the time of the first question can be chosen.
func TestTracker_Reconcile_afterChange(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.ReconcileAfter = time.Hour
	s.wire.set(says("In Progress"))
	s.record(t, session, nil)
	run := func(name, sum string) {
		t.Helper()
		want(t, name, s.reconcile(t), sum)
	}
	const none, one = "asked 0, changed 0, failed 0", "asked 1, changed 0, failed 0"
	s.clock.pass(time.Hour - time.Millisecond)
	run("too early", none)
	s.clock.pass(time.Millisecond)
	run("after an hour", "asked 1, changed 1, failed 0")
	s.clock.pass(time.Hour)
	run("an hour after the change", one)
	s.clock.pass(2*time.Hour - time.Millisecond)
	run("too early again", none)
	s.clock.pass(time.Millisecond)
	run("two hours later", one)
	wantCode(t, "Track", s.track(t, "e1", "In Review", s.clock.now()), "")
	s.wire.set(says("In Review"))
	s.clock.pass(time.Hour)
	run("an hour after the event", one)
	s.wire.set(says("Approved"))
	s.clock.pass(2 * time.Hour)
	run("finished", "asked 1, changed 1, failed 0")
	s.clock.pass(100 * time.Hour)
	run("never again", none)
	want(t, "published", len(s.bus.Published()), 2)
}

// Ensure that a task keeps a session young, until it has its result.
func TestTracker_Reconcile_oldWithTask(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.wire.set(says("In Review"))
	s.tasks.Open(token)
	s.record(t, session, nil)
	wantCode(t, "Await", s.Await(t.Context(), session, token), "")
	s.clock.pass(100 * 24 * time.Hour)
	want(t, "after 100 days", s.reconcile(t), "asked 1, changed 0, failed 0")
	s.wire.set(says("Approved"))
	s.clock.pass(24 * time.Hour)
	s.did()
	want(t, "a day later", s.reconcile(t), "asked 1, changed 1, failed 0")
	want(t, "calls", s.did(), "TakeReadBudget, Decision, Publish Approved, Replace Approved, Succeed, RemoveToken, Replace Approved")
	want(t, "task", s.ended(token), "Approved")
	want(t, "not due", s.stored(t, session).DueFrom.IsZero(), true)
}

// Ensure that the tasks that a crash left are ended without a question, and that a final record
// that no task waits on is asked about once, if it is due at all.
func TestTracker_Reconcile_final(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.wire.set(says("Approved"))
	s.tasks.Open(token)
	s.record(t, session, func(r *verification.Record) { r.Awaited, r.Status = true, "Approved" })
	s.record(t, numbered(1), func(r *verification.Record) { r.Status = "Approved" })
	if err := s.store.AddToken(t.Context(), session, token); err != nil {
		t.Fatal(err)
	}
	s.clock.pass(15 * time.Minute)
	want(t, "first", s.reconcile(t), "asked 1, changed 0, failed 0")
	want(t, "asked about", strings.Join(s.wire.asked, " "), numbered(1))
	want(t, "task", s.ended(token), "Approved")
	s.clock.pass(100 * time.Hour)
	want(t, "second", s.reconcile(t), "asked 0, changed 0, failed 0")
}

// Ensure that an operation that finds a session finished leaves it due until its tasks are ended.
func TestTracker_Reconcile_crashBesideEvent(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.tasks.Open(token)
	s.record(t, session, func(r *verification.Record) { r.Awaited = true })
	if err := s.store.AddToken(t.Context(), session, token); err != nil {
		t.Fatal(err)
	}
	s.refuse["Succeed"] = down()
	s.clock.pass(15 * time.Minute)
	at := s.clock.now()
	s.wire.set(func(id string, r *http.Request) response {
		wantCode(t, "Track", s.track(t, "e1", "Approved", at), verification.CodeBackendUnavailable)
		return says("Approved")(id, r)
	})
	want(t, "beside the event", s.reconcile(t), "asked 1, changed 0, failed 1")
	want(t, "not due", s.stored(t, session).DueFrom.IsZero(), false)
	delete(s.refuse, "Succeed")
	s.clock.pass(15 * time.Minute)
	want(t, "later", s.reconcile(t), "asked 0, changed 0, failed 0")
	want(t, "task", s.ended(token), "Approved")
}

// Ensure that a session that Didit does not know any more fails its tasks, and is left alone.
func TestTracker_Reconcile_notFound(t *testing.T) {
	t.Parallel()
	s := newSystem()
	for _, token := range []string{"one", "two"} {
		s.tasks.Open(token)
		if err := s.store.AddToken(t.Context(), session, token); err != nil {
			t.Fatal(err)
		}
	}
	s.record(t, session, func(r *verification.Record) { r.Awaited = true })
	s.record(t, numbered(1), nil)
	s.clock.pass(15 * time.Minute)
	s.refuse["Fail"] = down()
	want(t, "tasks out of reach", s.reconcile(t), "asked 2, changed 0, failed 1")
	want(t, "not due", s.stored(t, session).DueFrom.IsZero(), false)
	delete(s.refuse, "Fail")
	s.clock.pass(15 * time.Minute)
	want(t, "sum", s.reconcile(t), "asked 1, changed 0, failed 0")
	want(t, "first task", s.ended("one"), "SessionNotFound")
	want(t, "second task", s.ended("two"), "SessionNotFound")
	want(t, "tasks that wait", len(s.waiting(t, session)), 0)
	want(t, "status", s.stored(t, session).Status, "Not Started")
	s.clock.pass(100 * time.Hour)
	want(t, "later", s.reconcile(t), "asked 0, changed 0, failed 0")
}

// many records sessions, each due a second after the one before.
func (s *system) many(t *testing.T, count int) {
	t.Helper()
	for n := range count {
		s.record(t, numbered(n), nil)
		s.clock.pass(time.Second)
	}
	s.clock.pass(15 * time.Minute)
}

// Ensure that the longest due come first, one read each, within the reads of the minute, and that
// the next run goes on.
func TestTracker_Reconcile_budget(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.wire.set(says("Not Started"))
	s.many(t, 40)
	want(t, "first run", s.reconcile(t), "asked 30, changed 0, failed 0")
	want(t, "same minute", s.reconcile(t), "asked 0, changed 0, failed 0")
	s.clock.pass(time.Minute)
	want(t, "next minute", s.reconcile(t), "asked 10, changed 0, failed 0")
	for n, id := range s.wire.asked {
		want(t, "session asked about", id, numbered(n))
	}
}

// Ensure where a run ends early, and with which error.
func TestTracker_Reconcile_ends(t *testing.T) {
	t.Parallel()
	throttled := func(string, *http.Request) response { return response{status: 429, body: `{}`, retryAfter: "42"} }
	for _, test := range []struct {
		name, call string
		didit      func(string, *http.Request) response
		code       verification.Code
		asked      int // sessions
		failed     int
		told       string
	}{
		{"Didit throttles", "", throttled, "", 1, 0, "throttled"},
		{"Didit refuses", "", fails(401), verification.CodeCredentialsRejected, 1, 1, ""},
		{"Didit is down", "", fails(503), "", 3, 3, "didit_unavailable didit_unavailable didit_unavailable"},
		{"Didit is strange", "", fails(405), "", 3, 3, "internal internal internal"},
		{"the bus is out of reach", "Publish", says("Approved"), "", 3, 3, "backend_unavailable backend_unavailable backend_unavailable"},
		{"the table cannot be listed", "Due", nil, verification.CodeBackendUnavailable, 0, 0, ""},
		{"the table cannot be read", "Record", nil, verification.CodeBackendUnavailable, 0, 1, ""},
		{"the budget cannot be read", "TakeReadBudget", nil, verification.CodeBackendUnavailable, 0, 1, ""},
		{"the table cannot be written", "Replace", says("Not Started"), verification.CodeBackendUnavailable, 1, 1, "backend_unavailable"},
	} {
		s := newSystem()
		s.many(t, 5)
		if test.didit != nil {
			s.wire.set(test.didit)
		}
		if test.call != "" {
			s.refuse[test.call] = down()
		}
		sum, err := s.Reconcile(t.Context())
		wantCode(t, test.name, err, test.code)
		want(t, test.name+": sum", sum, verification.Reconciled{Asked: test.asked, Failed: test.failed})
		want(t, test.name+": told", s.troubles(), test.told)
	}
}

// Ensure that sessions that fail do not hold up the others, run after run.
func TestTracker_Reconcile_starvation(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(s *system, t *testing.T){
		"unreadable": func(s *system, _ *testing.T) {
			s.wire.set(func(id string, r *http.Request) response {
				if id < numbered(6) {
					return fails(500)(id, r)
				}
				return says("Approved")(id, r)
			})
		},
		"tasks that cannot be ended": func(s *system, t *testing.T) {
			for n := range 6 {
				r := s.stored(t, numbered(n))
				r.Awaited, r.Status = true, "Approved"
				if ok, err := s.store.Replace(t.Context(), r); !ok || err != nil {
					t.Fatal(ok, err)
				}
				if err := s.store.AddToken(t.Context(), numbered(n), token+numbered(n)); err != nil {
					t.Fatal(err)
				}
			}
			s.refuse["Succeed"] = verification.NewError(verification.CodeInternal, "refused")
		},
	} {
		s := newSystem()
		s.wire.set(says("Approved"))
		s.many(t, 8)
		spoil(s, t)
		for range 4 {
			if _, err := s.Reconcile(t.Context()); err != nil {
				t.Errorf("%s: got error %v, want none", name, err)
			}
			s.clock.pass(5 * time.Minute)
		}
		for _, n := range []int{6, 7} {
			want(t, name+": status of a session after them", s.stored(t, numbered(n)).Status, "Approved")
		}
		due, err := s.store.Due(t.Context(), s.clock.now(), 10)
		slices.Sort(due)
		if err != nil || len(due) != 6 || due[0] != numbered(0) {
			t.Errorf("%s: due are %v, error %v, want the six that fail", name, due, err)
		}
	}
}

// Ensure that a read that a newer event contradicts counts as a question.
func TestTracker_Reconcile_overtaken(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.wire.set(says("In Progress"))
	s.record(t, session, nil)
	wantCode(t, "Track", s.track(t, "e1", "In Review", noon().Add(time.Hour)), "") // by a clock ahead of ours
	s.clock.pass(15 * time.Minute)
	want(t, "first", s.reconcile(t), "asked 1, changed 0, failed 0")
	want(t, "second", s.reconcile(t), "asked 0, changed 0, failed 0")
	want(t, "status", s.stored(t, session).Status, "In Review")
}

// Ensure that a read that loses only because it began in the second of the standing event says
// nothing: the session stays due, is asked about once in a run, and the next run asks again.
func TestTracker_Reconcile_sameSecond(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ standing, read string }{{"Not Started", "Approved"}, {"In Review", "In Progress"}} {
		s := newSystem()
		s.ReconcileAfter = time.Millisecond
		s.wire.set(says(test.read))
		s.record(t, session, nil)
		wantCode(t, "Track", s.track(t, "e1", test.standing, noon()), "")
		s.clock.pass(time.Millisecond)
		before := s.stored(t, session)
		for _, run := range []string{"first run", "second run", "third run"} {
			s.did()
			want(t, test.read+": "+run, s.reconcile(t), "asked 1, changed 0, failed 0")
			want(t, test.read+": calls of the "+run, s.did(), "TakeReadBudget, Decision")
			after := s.stored(t, session)
			want(t, test.read+": status after the "+run, after.Status, test.standing)
			want(t, test.read+": due from", after.DueFrom, before.DueFrom)
			want(t, test.read+": confirmed at", after.CheckedAt, before.CheckedAt)
			want(t, test.read+": version", after.Version, before.Version)
			s.clock.pass(499 * time.Millisecond) // the third read begins in the last millisecond of the second
		}
		want(t, test.read+": next second", s.reconcile(t), "asked 1, changed 1, failed 0")
		want(t, test.read+": status", s.stored(t, session).Status, test.read)
		want(t, test.read+": published", len(s.bus.Published()), 1)
		want(t, test.read+": told", s.troubles(), "")
	}
}

// Ensure that an event that is written during the read, and is of the second in which the read
// began, does not have the session put off either.
func TestTracker_Reconcile_sameSecondMeanwhile(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.record(t, session, nil)
	s.clock.pass(15 * time.Minute)
	at := s.clock.now()
	s.wire.set(func(id string, r *http.Request) response {
		s.clock.pass(3 * time.Second)
		wantCode(t, "Track", s.track(t, "e1", "In Review", at), "")
		return says("In Progress")(id, r)
	})
	want(t, "beside the event", s.reconcile(t), "asked 1, changed 1, failed 0") // by the event
	r := s.stored(t, session)
	want(t, "status", r.Status, "In Review")
	want(t, "due from", r.DueFrom, s.clock.now())
	want(t, "asked in vain", r.Asked, 0)
}

// Ensure that a list that lags behind the records causes no read in vain.
func TestTracker_Reconcile_lag(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.wire.set(says("In Progress"))
	s.record(t, numbered(1), nil)
	b := s.Tracker.Store.(*backend)
	b.store = lagging{s.store, []string{numbered(0), numbered(1), numbered(2), numbered(3)}}
	s.record(t, numbered(2), func(r *verification.Record) { r.DueFrom = time.Time{} })
	s.clock.pass(15 * time.Minute)
	s.record(t, numbered(3), nil)
	want(t, "sum", s.reconcile(t), "asked 1, changed 1, failed 0")
	want(t, "asked about", strings.Join(s.wire.asked, " "), numbered(1))
}

// lagging lists what is not due, or not there, any more.
type lagging struct {
	verification.Store
	ids []string
}

func (l lagging) Due(context.Context, time.Time, int) ([]string, error) { return l.ids, nil }

// Ensure that a run ends in time and without an error, even while Didit is silent.
func TestTracker_Reconcile_time(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSystem()
		s.limited()
		s.many(t, 3)
		s.wire.set(func(_ string, r *http.Request) response {
			<-r.Context().Done()
			return response{err: r.Context().Err()}
		})
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		sum, err := s.Reconcile(ctx)
		wantCode(t, "Reconcile", err, "")
		want(t, "sum", sum, verification.Reconciled{Asked: 1, Failed: 1})
		want(t, "told", s.troubles(), "didit_timeout")
		if ctx.Err() != nil {
			t.Error("no time is left to answer")
		}
		over, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		sum, err = s.Reconcile(over)
		wantCode(t, "with no time", err, "")
		want(t, "with no time: sum", sum, verification.Reconciled{})
	})
}

// Ensure that a run that is cut short is no error: what is left is due at the next.
func TestTracker_Reconcile_cutShort(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.many(t, 3)
	ctx, cancel := context.WithCancel(t.Context())
	s.wire.set(func(id string, r *http.Request) response {
		cancel()
		return says("Approved")(id, r)
	})
	sum, err := s.Reconcile(ctx)
	wantCode(t, "Reconcile", err, "")
	want(t, "sum", sum, verification.Reconciled{Asked: 1, Failed: 1})
	s.wire.set(says("Approved"))
	want(t, "next run", s.reconcile(t), "asked 3, changed 3, failed 0")
}

package verification_test

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strings"
	"sync"
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
		if len(due(s.store, s.clock.now())) > 0 {
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
	want(t, "calls", s.did(), "Claim, TakeReadBudget, Decision, Publish Approved, Replace Approved, Succeed, RemoveToken, Replace Approved")
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

// many records sessions, each due a second after the one before.
func (s *system) many(t *testing.T, count int) {
	t.Helper()
	for n := range count {
		s.record(t, numbered(n), nil)
		s.clock.pass(time.Second)
	}
	s.clock.pass(15 * time.Minute)
}

// Ensure that the longest due come first, one read each, within reconcile's half of the reads of
// the minute, that no session is claimed in vain, and that the next run goes on.
func TestTracker_Reconcile_budget(t *testing.T) {
	t.Parallel()
	for _, atOnce := range []int{1, 8} {
		s := newSystem()
		s.AtOnce, s.ReadsPerMinute = atOnce, 60
		s.wire.set(says("Not Started"))
		s.many(t, 40)
		want(t, "first run", s.reconcile(t), "asked 30, changed 0, failed 0")
		want(t, "claims", strings.Count(s.did(), "Claim"), 30)
		want(t, "same minute", s.reconcile(t), "asked 0, changed 0, failed 0")
		s.clock.pass(time.Minute)
		want(t, "next minute", s.reconcile(t), "asked 10, changed 0, failed 0")
		asked := s.wire.asked
		if atOnce > 1 {
			slices.Sort(asked)
		}
		for n, id := range asked {
			want(t, "session asked about", id, numbered(n))
		}
	}
}

// Ensure that callers cannot take the reads of reconcile, nor it theirs.
func TestTracker_Reconcile_budgetOfItsOwn(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.ReadsPerMinute = 10
	s.wire.set(says("In Progress"))
	s.many(t, 20)
	for n := 10; n < 20; n++ {
		if _, err := s.Status(t.Context(), owner, numbered(n)); err != nil {
			t.Fatal(err)
		}
	}
	want(t, "asked for callers", s.wire.count(), 5)
	want(t, "reconcile", s.reconcile(t), "asked 5, changed 5, failed 0")
}

// Ensure that tasks are completed first and cost no read, then what is in doubt or was not read
// since its last change, then what is awaited, then the others, and in each the longest due first.
func TestTracker_Reconcile_order(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.ReadsPerMinute = 16
	s.wire.set(says("In Progress"))
	for n, change := range []func(*verification.Record){
		func(r *verification.Record) { r.Source, r.Unread = verification.SourceRead, false }, // others
		func(r *verification.Record) { r.Source, r.Unread = verification.SourceRead, false },
		func(r *verification.Record) { r.Awaited, r.Unread = true, false }, // awaited
		func(r *verification.Record) { r.Awaited, r.Unread = true, false },
		func(*verification.Record) {}, // not read
		func(r *verification.Record) { r.Status, r.DoubtAt, r.Unread = "Approved", noon(), true },
		func(r *verification.Record) { r.Status, r.Awaited, r.Unread = "Approved", true, false }, // tasks
		func(r *verification.Record) { r.Awaited = true },
	} {
		r := verification.NewRecord(numbered(n), someone, workflow, "In Progress", noon())
		r.DueFrom = noon().Add(time.Duration(n%2) * time.Second)
		change(&r)
		if _, _, err := s.store.Add(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	s.tasks.Open(token)
	if err := s.store.AddToken(t.Context(), numbered(6), token); err != nil {
		t.Fatal(err)
	}
	s.clock.pass(time.Minute)
	if _, err := s.Reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, n := range []int{4, 5, 7, 2, 3, 0, 1} {
		order = append(order, numbered(n))
	}
	want(t, "asked about", strings.Join(s.wire.asked, " "), strings.Join(order, " "))
	want(t, "task", s.ended(token), "Approved")

	// Tasks are completed without any reads left.
	s.tasks.Open("later")
	s.record(t, session, func(r *verification.Record) { r.Status, r.Awaited, r.DueFrom = "Declined", true, noon() })
	if err := s.store.AddToken(t.Context(), session, "later"); err != nil {
		t.Fatal(err)
	}
	for range 8 {
		if _, err := s.store.TakeReadBudget(t.Context(), verification.ReaderReconcile, s.clock.now(), 8); err != nil {
			t.Fatal(err)
		}
	}
	want(t, "without reads", s.reconcile(t), "asked 0, changed 0, failed 0")
	want(t, "task without reads", s.ended("later"), "Declined")
}

// Ensure that records that cannot be read, or have expired, hold up no others, however many.
func TestTracker_Reconcile_unreadable(t *testing.T) {
	t.Parallel()
	for _, atOnce := range []int{1, 8} {
		s := newSystem()
		s.AtOnce = atOnce
		s.wire.set(says("Approved"))
		for n := range 20 {
			s.record(t, numbered(n), func(r *verification.Record) {
				if n%2 == 0 {
					r.Expires = noon().Add(time.Minute)
				}
			})
			if n%2 == 1 {
				s.store.Spoil(numbered(n))
			}
		}
		s.clock.pass(time.Second)
		s.record(t, session, nil)
		s.clock.pass(15 * time.Minute)
		want(t, "sum", s.reconcile(t), "asked 1, changed 1, failed 10")
		want(t, "status", s.stored(t, session).Status, "Approved")
	}
}

// Ensure that an old session is asked about once more if it is in doubt.
func TestTracker_Reconcile_oldInDoubt(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.wire.set(says("In Review"))
	s.record(t, session, nil)
	wantCode(t, "Track", s.track(t, "e1", "In Progress", noon()), "")
	s.clock.pass(40 * 24 * time.Hour)
	s.deliver(t, "e2", "In Review", -5, 40*24*3600-10)
	want(t, "sum", s.reconcile(t), "asked 1, changed 1, failed 0")
	s.clock.pass(24 * time.Hour)
	want(t, "later", s.reconcile(t), "asked 0, changed 0, failed 0")
}

// Ensure that sessions are asked about one at a time until one has succeeded, and then eight at a
// time.
func TestTracker_Reconcile_atOnce(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ failing, first, most int }{"healthy": {0, 1, 8}, "down": {20, 1, 1}, "one failure": {1, 1, 8}} {
		synctest.Test(t, func(t *testing.T) {
			s := newSystem()
			s.AtOnce, s.ReadsPerMinute = 0, 300
			s.many(t, 20)
			var mu sync.Mutex
			asked, underWay, first, most, succeeded := 0, 0, 0, 0, false
			s.wire.set(func(id string, r *http.Request) response {
				mu.Lock()
				asked++
				underWay++
				most = max(most, underWay)
				if !succeeded {
					first = max(first, underWay)
				}
				fail := asked <= test.failing
				mu.Unlock()
				time.Sleep(time.Second) // of the test's own time
				mu.Lock()
				defer mu.Unlock()
				underWay--
				if fail {
					return fails(503)(id, r)
				}
				succeeded = true
				return says("In Progress")(id, r)
			})
			if _, err := s.Reconcile(t.Context()); err != nil {
				t.Fatal(err)
			}
			want(t, name+": at once before a success", first, test.first)
			want(t, name+": at once", most, test.most)
		})
	}
}

// Ensure that a session that was not begun, and that no task waits on, is asked about at the times
// that its link matters, and an awaited one as often as others.
func TestTracker_Reconcile_notStarted(t *testing.T) {
	t.Parallel()
	m, h, d := time.Minute, time.Hour, 24*time.Hour
	for _, test := range []struct {
		after   time.Duration
		awaited bool
		want    []time.Duration
		ends    bool
	}{
		{0, false, []time.Duration{15 * m, 45 * m, 105 * m, d, 3 * d, 8 * d}, true},
		{m, false, []time.Duration{m, 3 * m, 7 * m, d, 3 * d, 8 * d}, true},
		{h, false, []time.Duration{h, 3 * h, 7 * h, d, 3 * d, 8 * d}, true},
		{0, true, []time.Duration{15 * m, 45 * m, 105 * m, 225 * m, 465 * m, 945 * m}, false},
	} {
		s := newSystem()
		s.ReconcileAfter = test.after
		s.wire.set(says("Not Started"))
		s.record(t, session, func(r *verification.Record) { r.Awaited = test.awaited })
		if err := s.store.AddToken(t.Context(), session, token); err != nil {
			t.Fatal(err)
		}
		var at []time.Duration
		for elapsed := time.Duration(0); elapsed < 40*d && len(at) < len(test.want)+1; elapsed += m {
			if len(due(s.store, s.clock.now())) > 0 {
				before := s.wire.count()
				s.reconcile(t)
				if s.wire.count() > before {
					at = append(at, elapsed)
				}
			}
			s.clock.pass(m)
		}
		if len(at) < len(test.want) || !slices.Equal(at[:len(test.want)], test.want) || test.ends != (len(at) == len(test.want)) {
			t.Errorf("after %v, awaited %v: asked at %v, want %v, and no more %v", test.after, test.awaited, at, test.want, test.ends)
		}
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
		want(t, test.name+": sum", counts(sum), verification.Reconciled{Asked: test.asked, Failed: test.failed})
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
		left := due(s.store, s.clock.now().Add(24*time.Hour))
		slices.Sort(left)
		if len(left) != 6 || left[0] != numbered(0) {
			t.Errorf("%s: due are %v, want the six that fail", name, left)
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
		s.did()
		want(t, test.read+": first run", s.reconcile(t), "asked 1, changed 0, failed 0")
		want(t, test.read+": calls", s.did(), "Claim, TakeReadBudget, Decision")
		after := s.stored(t, session)
		want(t, test.read+": status", after.Status, test.standing)
		want(t, test.read+": due from", after.DueFrom, before.DueFrom)
		want(t, test.read+": confirmed at", after.CheckedAt, before.CheckedAt)
		want(t, test.read+": version", after.Version, before.Version)
		want(t, test.read+": not read since", after.Unread, true)
		s.clock.pass(time.Minute)
		want(t, test.read+": next run", s.reconcile(t), "asked 1, changed 1, failed 0")
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

// Ensure that failures end a run only if they come in a row.
func TestTracker_Reconcile_failuresApart(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.many(t, 10)
	n := 0
	s.wire.set(func(id string, r *http.Request) response {
		if n++; n%2 == 1 {
			return fails(500)(id, r)
		}
		return says("Approved")(id, r)
	})
	want(t, "every other one fails", s.reconcile(t), "asked 10, changed 5, failed 5")
}

// Ensure that a change that was published is not published again where its write is.
func TestTracker_Status_publishedOnce(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.wire.set(func(id string, r *http.Request) response {
		s.store.Conflict(1)
		return says("Approved")(id, r)
	})
	s.record(t, session, nil)
	s.clock.pass(time.Hour)
	r, err := s.Status(t.Context(), owner, session)
	wantCode(t, "Status", err, "")
	want(t, "status", r.Status, "Approved")
	want(t, "calls", s.did(), "Claim, TakeReadBudget, Decision, Publish Approved, Replace Approved, Replace Approved")
}

// Ensure that a read that fails does not put off a session of which an event came meanwhile.
func TestTracker_Reconcile_failedMeanwhile(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.record(t, session, nil)
	s.clock.pass(15 * time.Minute)
	var after verification.Record
	s.wire.set(func(string, *http.Request) response {
		wantCode(t, "Track", s.track(t, "e1", "In Review", s.clock.now()), "")
		after = s.stored(t, session)
		return response{status: 500}
	})
	s.reconcile(t)
	r := s.stored(t, session)
	want(t, "due from", r.DueFrom, after.DueFrom)
	want(t, "asked in vain", r.Asked, 0)
	want(t, "not read since", r.Unread, true)
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

func (l lagging) Due(context.Context, verification.Class, time.Time) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, id := range l.ids {
			if !yield(id, nil) {
				return
			}
		}
	}
}

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
		ctx, cancel := context.WithTimeout(t.Context(), 14*time.Second)
		defer cancel()
		sum, err := s.Reconcile(ctx)
		wantCode(t, "Reconcile", err, "")
		want(t, "sum", counts(sum), verification.Reconciled{Asked: 1, Failed: 1})
		want(t, "told", s.troubles(), "didit_timeout")
		if ctx.Err() != nil {
			t.Error("no time is left to answer")
		}
		over, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		sum, err = s.Reconcile(over)
		wantCode(t, "with no time", err, "")
		want(t, "with no time: sum", counts(sum), verification.Reconciled{})
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
	want(t, "sum", counts(sum), verification.Reconciled{Asked: 1, Failed: 1})
	s.wire.set(says("Approved"))
	s.clock.pass(time.Minute)
	want(t, "next run", s.reconcile(t), "asked 3, changed 3, failed 0")
}

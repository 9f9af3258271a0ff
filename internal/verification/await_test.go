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

func TestTracker_Await_invalid(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ session, token, fields string }{
		{"", "", "session_id task_token"},
		{"not a UUID", token, "session_id"},
		{session + "0", token, "session_id"},
		{session, "", "task_token"},
		{session, " \n", "task_token"},
		{session, strings.Repeat("x", 2049), "task_token"},
	} {
		s := newSystem()
		err := s.Await(t.Context(), test.session, test.token)
		wantCode(t, "Await", err, verification.CodeInvalidRequest)
		var fields []string
		for _, f := range verification.AsError(err).Fields {
			fields = append(fields, f.Field)
		}
		want(t, "fields", strings.Join(fields, " "), test.fields)
		want(t, "calls", s.did(), "")
	}
	s := newSystem()
	s.wire.set(says("In Progress"))
	long := strings.Repeat("x", 2048)
	wantCode(t, "the longest token", s.Await(t.Context(), strings.ToUpper(session), long), "")
	want(t, "tokens", strings.Join(s.waiting(t, session), " "), long)
}

// Ensure what Await does, for each way in which a session may stand.
func TestTracker_Await(t *testing.T) {
	t.Parallel()
	const enrolled, asked = "AddToken, Enroll, ", "AddToken, Enroll, Claim, Decision"
	for _, test := range []struct {
		name   string
		known  func(*verification.Record) // nil: not on record
		didit  func(string, *http.Request) response
		calls  string
		ended  string
		status string
	}{
		{"unfinished", func(*verification.Record) {}, says("Not Started"), asked + ", Replace Not Started", "", "Not Started"},
		{"finished on record", func(r *verification.Record) { r.Status, r.DueFrom = "Approved", time.Time{} }, says("Declined"),
			enrolled + "Replace Approved, Succeed, RemoveToken, Replace Approved", "Approved", "Approved"},
		{"expired on record", func(r *verification.Record) { r.Status, r.DueFrom = "Expired", time.Time{} }, nil,
			enrolled + "Replace Expired, Fail SessionExpired, RemoveToken, Replace Expired", "SessionExpired", "Expired"},
		{"finished at Didit", func(*verification.Record) {}, says("Declined"),
			asked + ", Publish Declined, Replace Declined, Succeed, RemoveToken, Replace Declined", "Declined", "Declined"},
		{"abandoned at Didit", func(*verification.Record) {}, says("Abandoned"),
			asked + ", Publish Abandoned, Replace Abandoned, Fail SessionAbandoned, RemoveToken, Replace Abandoned", "SessionAbandoned", "Abandoned"},
		{"further at Didit", func(*verification.Record) {}, says("In Review"), asked + ", Publish In Review, Replace In Review", "", "In Review"},
		{"not on record, unfinished", nil, says("Not Started"), asked + ", Replace Not Started", "", "Not Started"},
		{"not on record, finished", nil, says("Approved"),
			asked + ", Publish Approved, Replace Approved, Succeed, RemoveToken, Replace Approved", "Approved", "Approved"},
		{"Didit is down", func(*verification.Record) {}, fails(503), asked + "", "", "Not Started"},
		{"not on record, Didit is down", nil, fails(503), asked + "", "", "Not Started"},
		{"Didit refuses", nil, fails(401), asked + "", "", "Not Started"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newSystem()
			s.tasks.Open(token)
			if test.known != nil {
				s.record(t, session, test.known)
			}
			if test.didit != nil {
				s.wire.set(test.didit)
			}
			s.clock.pass(time.Second)
			wantCode(t, "Await", s.Await(t.Context(), session, token), "")
			want(t, "calls", s.did(), test.calls)
			want(t, "task", s.ended(token), test.ended)
			r := s.stored(t, session)
			want(t, "status", r.Status, test.status)
			want(t, "awaited", r.Awaited, test.ended == "")
			want(t, "not due", r.DueFrom.IsZero(), test.ended != "")
			want(t, "tasks that wait", len(s.waiting(t, session)) == 0, test.ended != "")
			if test.known == nil {
				want(t, "owner", r.VendorData, "")
			}
			want(t, "trouble", s.troubles() != "", strings.Contains(test.name, "down") || strings.Contains(test.name, "refuses"))
			for _, e := range s.bus.Published() {
				want(t, "detail type", e.DetailType(), verification.DetailStatusUpdated)
			}
		})
	}
}

// Ensure that a session that Didit does not know is an error only if it was not on record, and
// leaves nothing behind then; otherwise the task waits, and the session is due at once.
func TestTracker_Await_notFound(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		known  func(*verification.Record)
		others []string
		code   verification.Code
		stays  bool
	}{
		{"not on record", nil, nil, verification.CodeNotFound, false},
		{"created through this backend", func(*verification.Record) {}, nil, "", true},
		{"created without an owner", func(r *verification.Record) { r.VendorData = "" }, nil, "", true},
		{"awaited by its id alone", func(r *verification.Record) { r.VendorData, r.WorkflowID, r.Awaited = "", "", true }, nil, "", true},
		{"another task waits", nil, []string{"other"}, verification.CodeNotFound, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newSystem()
			if test.known != nil {
				s.record(t, session, test.known)
			}
			for _, other := range test.others {
				if err := s.store.AddToken(t.Context(), session, other); err != nil {
					t.Fatal(err)
				}
			}
			s.clock.pass(300 * time.Millisecond) // Didit may answer so shortly after it made a session
			wantCode(t, "Await", s.Await(t.Context(), session, token), test.code)
			waiting := test.others
			if test.code == "" {
				waiting = []string{token}
				r := s.stored(t, session)
				want(t, "due from", r.DueFrom, s.clock.now())
				want(t, "class", r.Class(), verification.ClassUnread)
			}
			want(t, "tasks that wait", strings.Join(s.waiting(t, session), " "), strings.Join(waiting, " "))
			_, found, err := s.store.Record(t.Context(), session)
			if err != nil || found != test.stays {
				t.Errorf("got on record %v, error %v, want %v", found, err, test.stays)
			}
		})
	}
}

// Ensure what a task gets that registers 300 ms after the session was created.
func TestTracker_Await_afterCreate(t *testing.T) {
	t.Parallel()
	for status, end := range map[string]string{"Not Started": "", "In Progress": "", "Approved": "Approved", "Expired": "SessionExpired"} {
		s := newSystem()
		s.tasks.Open(token)
		s.wire.set(says(status))
		s.record(t, session, nil)
		s.clock.pass(300 * time.Millisecond)
		wantCode(t, status, s.Await(t.Context(), session, token), "")
		want(t, status+": status", s.stored(t, session).Status, status)
		want(t, status+": task", s.ended(token), end)
		want(t, status+": due", s.stored(t, session).DueFrom.IsZero(), end != "")
	}
}

// Ensure that all tasks that register on one session at once are stored, with one request to Didit,
// and that each gets the result.
func TestTracker_Await_storm(t *testing.T) {
	t.Parallel()
	const tasks = 300
	s := newSystem()
	s.wire.set(says("In Progress"))
	s.record(t, session, nil)
	s.clock.pass(time.Hour)
	var all sync.WaitGroup
	for n := range tasks {
		s.tasks.Open(fmt.Sprint(n))
		all.Go(func() { wantCode(t, "Await", s.Await(t.Context(), session, fmt.Sprint(n)), "") })
	}
	all.Wait()
	want(t, "tasks that wait", len(s.waiting(t, session)), tasks)
	want(t, "requests to Didit", s.wire.count(), 1)
	r := s.stored(t, session)
	want(t, "awaited", r.Awaited, true)
	want(t, "due", r.DueFrom.IsZero(), false)
	wantCode(t, "Track", s.track(t, "e1", "Approved", s.clock.now().Add(time.Second)), "")
	for n := range tasks {
		want(t, "task", s.ended(fmt.Sprint(n)), "Approved")
	}
}

// Ensure that a session that is rarely looked at is looked at as often as others once a task waits.
func TestTracker_Await_dueEarlier(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.wire.set(fails(503))
	s.record(t, session, func(r *verification.Record) { r.Asked, r.DueFrom = 5, noon().Add(120*time.Hour) })
	r := s.stored(t, session)
	r.Unread = false
	if ok, err := s.store.Replace(t.Context(), r); !ok || err != nil {
		t.Fatal(ok, err)
	}
	wantCode(t, "Await", s.Await(t.Context(), session, token), "")
	r = s.stored(t, session)
	want(t, "due from", r.DueFrom, noon().Add(8*time.Hour))
	want(t, "class", r.Class(), verification.ClassAwaited)
}

// Ensure that the record of an awaited session lives at least as long as its tasks.
func TestTracker_Await_retention(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for _, test := range []struct{ retention, want time.Duration }{{2 * day, 366 * day}, {0, 1095 * day}, {400 * day, 400 * day}} {
		s := newSystem()
		s.Retention = test.retention
		s.tasks.Open(token)
		s.wire.set(says("In Progress"))
		if test.retention != 0 {
			s.record(t, session, func(r *verification.Record) { r.Expires = noon().Add(test.retention) })
		}
		wantCode(t, "Await", s.Await(t.Context(), session, token), "")
		want(t, "expires", s.stored(t, session).Expires, noon().Add(test.want))
		// Creating again and an event do not shorten it.
		s.record(t, session, func(r *verification.Record) { r.Expires = noon().Add(test.retention) })
		wantCode(t, "Track", s.track(t, "e1", "In Review", noon().Add(time.Second)), "")
		want(t, "expires later", s.stored(t, session).Expires, noon().Add(test.want))
		s.clock.pass(365 * day)
		wantCode(t, "Track", s.track(t, "e2", "Approved", s.clock.now()), "")
		want(t, "task after a year", s.ended(token), "Approved")
	}
}

// Ensure that Await fails where the token is not stored for good, and nowhere else.
func TestTracker_Await_trouble(t *testing.T) {
	t.Parallel()
	for call, code := range map[string]verification.Code{
		"AddToken": verification.CodeBackendUnavailable, "Record": verification.CodeBackendUnavailable,
		"Enroll": verification.CodeBackendUnavailable, "Claim": "", "Replace": "",
		"Decision": "", "Publish": "", "Tokens": "", "Succeed": "", "RemoveToken": "",
	} {
		s := newSystem()
		s.wire.set(says("Approved"))
		s.refuse[call] = down()
		wantCode(t, call, s.Await(t.Context(), session, token), code)
		if code == "" {
			want(t, call+": tasks that wait", len(s.waiting(t, session)), 1)
			want(t, call+": not due", s.stored(t, session).DueFrom.IsZero(), false)
			want(t, call+": told", s.troubles(), "backend_unavailable")
		}
	}
	// Finished on record, and the tasks out of reach: it stays due.
	s := newSystem()
	s.record(t, session, func(r *verification.Record) { r.Status, r.DueFrom = "Approved", time.Time{} })
	s.refuse["Succeed"] = down()
	wantCode(t, "finished", s.Await(t.Context(), session, token), "")
	want(t, "finished: not due", s.stored(t, session).DueFrom.IsZero(), false)
	want(t, "finished: tasks that wait", len(s.waiting(t, session)), 1)
}

// Ensure that a read that loses only because it began in the second of the standing event confirms
// nothing, and that the session stays due until its task has the result.
func TestTracker_Await_sameSecond(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.wire.set(says("Approved"))
	s.tasks.Open(token)
	s.record(t, session, nil)
	wantCode(t, "Track", s.track(t, "e1", "In Progress", noon()), "")
	before := s.stored(t, session)
	s.clock.pass(999 * time.Millisecond)
	s.did()
	wantCode(t, "Await", s.Await(t.Context(), session, token), "")
	want(t, "calls", s.did(), "AddToken, Enroll, Claim, Decision")
	after := s.stored(t, session)
	want(t, "confirmed at", after.CheckedAt, before.CheckedAt)
	want(t, "due from", after.DueFrom, before.DueFrom)
	want(t, "task", s.ended(token), "")
	s.clock.pass(15 * time.Minute)
	want(t, "later", s.reconcile(t), "asked 1, changed 1, failed 0")
	want(t, "task in the end", s.ended(token), "Approved")
}

// Ensure that a silent Didit leaves time for the answer.
func TestTracker_Await_silence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSystem()
		s.limited()
		s.wire.set(func(_ string, r *http.Request) response {
			<-r.Context().Done()
			return response{err: r.Context().Err()}
		})
		ctx, cancel := context.WithTimeout(t.Context(), 12*time.Second)
		defer cancel()
		wantCode(t, "Await", s.Await(ctx, session, token), "")
		if ctx.Err() != nil {
			t.Error("no time is left")
		}
		want(t, "tasks that wait", len(s.waiting(t, session)), 1)
	})
}

// Ensure that a task that comes while an older status is settled gets the one that stands: here a
// reviewer takes Declined back between the writing of it and the reading of the tokens.
func TestTracker_settlesWhatStands(t *testing.T) {
	t.Parallel()
	for later, end := range map[string]string{"In Review": "", "Approved": "Approved"} {
		s := newSystem()
		s.record(t, session, nil)
		s.tasks.Open(token)
		b := s.Tracker.Store.(*backend)
		call, raced := b.call, false
		b.call = func(name string, make func() error) error {
			if name == "Tokens" && !raced {
				raced = true
				if err := s.track(t, "e2", later, noon().Add(time.Second)); err != nil {
					t.Error(err)
				}
				s.wire.set(says(later))
				s.clock.pass(time.Hour)
				wantCode(t, "Await", s.Await(t.Context(), session, token), "")
			}
			return call(name, make)
		}
		wantCode(t, "Track", s.track(t, "e1", "Declined", noon()), "")
		want(t, later+": task", s.ended(token), end)
		want(t, later+": status", s.stored(t, session).Status, later)
	}
}

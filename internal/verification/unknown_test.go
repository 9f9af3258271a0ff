package verification_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"didit-sessions/internal/verification"
)

const otherWorkflow = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"

// gone answers that there is no session of these ids, and the status for all others.
func gone(status string, ids ...string) func(string, *http.Request) response {
	return func(id string, r *http.Request) response {
		if strings.Contains(strings.Join(ids, " "), id) {
			return fails(404)(id, r)
		}
		return says(status)(id, r)
	}
}

// neighbor puts another session of the workflow on record that is due now.
func (s *system) neighbor(t *testing.T, workflowID string) {
	t.Helper()
	s.neighbors++
	s.record(t, numbered(1000+s.neighbors), func(r *verification.Record) { r.WorkflowID, r.DueFrom = workflowID, s.clock.now() })
}

// Ensure that a task fails only after three answers that Didit has no such session, over an hour at
// least, each in a run in which Didit knew another session of the workflow.
func TestTracker_Reconcile_unknown(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		status   string
		workflow string // of the neighbor of each run; empty: none
		ownless  bool   // the session's own workflow is not known
		between  func(t *testing.T, s *system)
		want     string
		next     verification.Next
	}{
		{"unfinished", "In Progress", workflow, false, nil, "SessionNotFound", verification.NextRetry},
		{"without a workflow", "In Progress", otherWorkflow, true, nil, "SessionNotFound", verification.NextRetry},
		{"no other session", "In Progress", "", false, nil, "", verification.NextVerify},
		{"another workflow", "In Progress", otherWorkflow, false, nil, "", verification.NextVerify},
		{"a delivery between", "In Progress", workflow, false, func(t *testing.T, s *system) {
			wantCode(t, "Track", s.track(t, "late"+s.clock.now().String(), "In Progress", noon().Add(-time.Hour)), "")
		}, "", verification.NextVerify},
		{"known between", "In Progress", workflow, false, func(t *testing.T, s *system) {
			s.wire.set(says("In Progress"))
			s.clock.pass(2 * time.Minute)
			if _, err := s.Status(t.Context(), trusted, session); err != nil {
				t.Error(err)
			}
			s.wire.set(gone("In Progress", session))
		}, "", verification.NextVerify},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newSystem()
			s.wire.set(func(id string, r *http.Request) response {
				if id == session {
					return fails(404)(id, r)
				}
				return response{status: 200, body: `{"session_id":"` + id + `","status":"In Progress","workflow_id":"` + test.workflow + `"}`}
			})
			s.tasks.Open(token)
			s.record(t, session, func(r *verification.Record) {
				if r.Awaited, r.Status = true, test.status; test.ownless {
					r.WorkflowID = ""
				}
			})
			if err := s.store.AddToken(t.Context(), session, token); err != nil {
				t.Fatal(err)
			}
			s.clock.pass(15 * time.Minute)
			for n := range 3 {
				if test.workflow != "" {
					s.neighbor(t, test.workflow)
				}
				s.reconcile(t)
				if n < 2 {
					want(t, "task before the third answer", s.ended(token), "")
				}
				if n == 0 && test.between != nil {
					test.between(t, s)
				}
				s.clock.pass(30 * time.Minute)
			}
			want(t, "task", s.ended(token), test.want)
			r := s.stored(t, session)
			want(t, "next", r.Next(), test.next)
			want(t, "status", r.Status, test.status)
			want(t, "not due", r.DueFrom.IsZero(), test.want != "")
			want(t, "tasks that wait", len(s.waiting(t, session)) == 0, test.want != "")
			want(t, "awaited", r.Awaited, test.want == "")
		})
	}
}

// Ensure that three answers within an hour are not enough.
func TestTracker_Reconcile_unknownTooSoon(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.wire.set(gone("In Progress", session))
	s.record(t, session, nil)
	s.clock.pass(15 * time.Minute)
	for range 5 {
		s.neighbor(t, workflow)
		s.reconcile(t)
		s.clock.pass(11 * time.Minute)
		r := s.stored(t, session)
		want(t, "next", r.Next(), verification.NextVerify)
		r.DueFrom = s.clock.now()
		if ok, err := s.store.Replace(t.Context(), r); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	s.neighbor(t, workflow)
	s.clock.pass(6 * time.Minute)
	s.reconcile(t)
	want(t, "next after an hour", s.stored(t, session).Next(), verification.NextRetry)
}

// Ensure that an answer that does not count is looked into again as soon as one that does.
func TestTracker_Reconcile_unknownAlone(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.wire.set(gone("Approved", session))
	s.record(t, session, nil)
	s.clock.pass(15 * time.Minute)
	for n := range 4 {
		if n == 0 {
			s.neighbor(t, workflow)
		}
		s.reconcile(t)
		r := s.stored(t, session)
		want(t, "counted", r.UnknownReads, 1)
		want(t, "due from", r.DueFrom, s.clock.now().Add(30*time.Minute))
		s.clock.pass(30 * time.Minute)
	}
}

// Ensure that tasks that cannot be ended keep the session due, at the pace of its reads.
func TestTracker_Reconcile_unknownTrouble(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.wire.set(gone("In Progress", session))
	s.tasks.Open(token)
	s.record(t, session, func(r *verification.Record) {
		r.Awaited, r.UnknownSince, r.UnknownReads = true, noon().Add(-time.Hour), 2
	})
	if err := s.store.AddToken(t.Context(), session, token); err != nil {
		t.Fatal(err)
	}
	s.clock.pass(15 * time.Minute)
	s.neighbor(t, workflow)
	s.refuse["Fail"] = down()
	want(t, "tasks out of reach", s.reconcile(t), "asked 2, changed 1, failed 1")
	want(t, "not due", s.stored(t, session).DueFrom.IsZero(), false)
	r := s.stored(t, session)
	want(t, "counted", r.UnknownReads, 3)
	want(t, "awaited", r.Awaited, true)
	asked := 0
	for range 8 * 60 {
		s.clock.pass(time.Minute)
		s.neighbor(t, workflow)
		before := s.wire.times(session)
		s.reconcile(t)
		asked += s.wire.times(session) - before
	}
	want(t, "asked within 8 hours", asked, 4) // after 30 minutes, then 1, 2 and 4 hours
	delete(s.refuse, "Fail")
	s.clock.pass(24 * time.Hour)
	s.neighbor(t, workflow)
	s.reconcile(t)
	want(t, "task", s.ended(token), "SessionNotFound")
}

// Ensure that a key that knows none of our sessions rings an alarm, ends no task, and is not asked
// on and on.
func TestTracker_Reconcile_foreignKey(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.wire.set(fails(404))
	s.many(t, 40)
	for range 3 {
		before := s.wire.count()
		_, err := s.Reconcile(t.Context())
		wantCode(t, "Reconcile", err, verification.CodeInternal)
		want(t, "reason", strings.Contains(err.Error(), "is the key another application's?"), true)
		want(t, "asked", s.wire.count()-before, 5)
		s.clock.pass(time.Minute)
	}
	for n := range 40 {
		r := s.stored(t, numbered(n))
		want(t, "counted", r.UnknownReads, 0)
		want(t, "next", r.Next(), verification.NextVerify)
	}
	// A page instead of Didit's JSON is no answer about a session.
	s = newSystem()
	s.wire.set(func(string, *http.Request) response { return response{status: 404, body: "<html>not found</html>"} })
	s.many(t, 5)
	sum, err := s.Reconcile(t.Context())
	wantCode(t, "a page", err, "")
	want(t, "a page: sum", counts(sum), verification.Reconciled{Asked: 3, Failed: 3})
}

// Ensure that a final status never changes because Didit has deleted the session, and that it is
// not asked again.
func TestTracker_unknownFinal(t *testing.T) {
	t.Parallel()
	for _, doubtful := range []bool{false, true} {
		s := newSystem()
		s.wire.set(gone("In Progress", session))
		s.record(t, session, func(r *verification.Record) {
			r.Status, r.DueFrom = "Approved", time.Time{}
			if doubtful {
				r.DoubtAt, r.DueFrom = noon(), noon()
			}
		})
		s.clock.pass(24 * time.Hour)
		if doubtful {
			s.neighbor(t, workflow)
			s.reconcile(t)
		}
		for range 3 {
			r, err := s.Status(t.Context(), owner, session)
			wantCode(t, "Status", err, "")
			want(t, "status", r.Status, "Approved")
			want(t, "next", r.Next(), verification.NextVerified)
			s.clock.pass(25 * time.Hour)
			s.neighbor(t, workflow)
			s.reconcile(t)
		}
		want(t, "asked", strings.Count(strings.Join(s.wire.asked, " "), session), 1)
		want(t, "not due", s.stored(t, session).DueFrom.IsZero(), true)
	}
}

// Ensure that polling a session that Didit does not know counts nothing and takes few reads.
func TestTracker_Status_unknown(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.wire.set(gone("In Progress", session))
	s.record(t, session, nil)
	for range 60 * 12 { // an hour
		s.clock.pass(5 * time.Second)
		if r, err := s.Status(t.Context(), owner, session); err != nil || r.Next() != verification.NextVerify {
			t.Fatalf("got next %s, error %v, want verify", r.Next(), err)
		}
	}
	if got := s.wire.count(); got > 31 {
		t.Errorf("got %d reads in an hour, want at most 31", got)
	}
	r := s.stored(t, session)
	want(t, "counted", r.UnknownReads, 0)
	want(t, "due", !r.DueFrom.IsZero() && !r.DueFrom.After(s.clock.now()), true)
	s.neighbor(t, workflow)
	s.clock.pass(time.Minute + time.Second)
	want(t, "reconcile", s.reconcile(t), "asked 2, changed 1, failed 0")
	want(t, "counted by reconcile", s.stored(t, session).UnknownReads, 1)
	s.wire.set(says("Approved"))
	s.clock.pass(3 * time.Minute)
	got, err := s.Status(t.Context(), owner, session)
	wantCode(t, "Status", err, "")
	want(t, "status, known again", got.Status, "Approved")
}

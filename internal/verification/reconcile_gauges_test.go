package verification_test

import (
	"net/http"
	"testing"
	"time"

	"didit-sessions/internal/verification"
)

// counts are the counts of a run without its gauges.
func counts(sum verification.Reconciled) verification.Reconciled {
	return verification.Reconciled{Asked: sum.Asked, Changed: sum.Changed, Failed: sum.Failed}
}

// Ensure that a run measures the oldest session of the first two classes and the oldest that a task
// waits on, whatever the run then comes to, and counts all that were due.
func TestTracker_Reconcile_gauges(t *testing.T) {
	t.Parallel()
	const h = time.Hour
	for _, test := range []struct {
		name          string
		prepare       func(s *system)
		due           int
		overdue, task time.Duration
	}{
		{"nothing due", func(s *system) { s.record(t, numbered(1), nil) }, 0, 0, 0},
		{"of class 1, not read since the change", func(s *system) {
			s.record(t, numbered(1), func(r *verification.Record) { r.DueFrom = noon().Add(-2 * h) })
			s.record(t, numbered(2), func(r *verification.Record) { r.DueFrom = noon().Add(-h) })
		}, 2, 2 * h, 0},
		{"of class 0, whose task is waiting", func(s *system) {
			s.record(t, numbered(1), func(r *verification.Record) {
				r.Status, r.Awaited, r.CreatedAt, r.DueFrom = "Approved", true, noon().Add(-50*h), noon().Add(-3*h)
			})
		}, 1, 3 * h, 50 * h},
		{"the others are no backlog", func(s *system) {
			s.record(t, numbered(1), func(r *verification.Record) { r.DueFrom = noon().Add(-9 * h) })
			s.read(t, numbered(1), noon().Add(-9*h))
		}, 1, 0, 0},
		{"awaited ones are none either, but have their age", func(s *system) {
			s.record(t, numbered(1), func(r *verification.Record) { r.Awaited, r.CreatedAt = true, noon().Add(-20*h) })
			s.read(t, numbered(1), noon().Add(-9*h))
		}, 1, 0, 20 * h},
		{"credentials are refused at the first", func(s *system) {
			for n := range 9 {
				s.record(t, numbered(n), func(r *verification.Record) { r.DueFrom = noon().Add(-2 * h) })
			}
			s.wire.set(func(string, *http.Request) response { return response{status: 403, body: `{"detail":"no"}`} })
		}, 1, 2 * h, 0},
		{"tasks fail, so that the run ends before class 1", func(s *system) {
			for n := range 3 {
				s.record(t, numbered(n), func(r *verification.Record) {
					r.Status, r.Awaited, r.DueFrom = "Approved", true, noon().Add(-time.Minute)
				})
				_ = s.store.AddToken(t.Context(), numbered(n), token)
			}
			s.record(t, numbered(4), func(r *verification.Record) { r.DueFrom = noon().Add(-2 * h) })
			s.refuse["Succeed"] = down()
		}, 4, 2 * h, 0},
	} {
		s := newSystem()
		s.wire.set(says("In Progress"))
		test.prepare(s)
		sum, _ := s.Reconcile(t.Context())
		want(t, test.name+": due", sum.Due, test.due)
		want(t, test.name+": overdue", sum.OldestOverdue, test.overdue)
		want(t, test.name+": task", sum.OldestTask, test.task)
	}
}

// read makes the record one that was read since its last change, and due from that time.
func (s *system) read(t *testing.T, id string, from time.Time) {
	t.Helper()
	r := s.stored(t, id)
	r.Unread, r.DueFrom = false, from
	if written, err := s.store.Replace(t.Context(), r); !written || err != nil {
		t.Fatal(written, err)
	}
}

package verification_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"didit-sessions/internal/verification"
)

// deliver has an event of a status delivered whose times are so many seconds after noon.
func (s *system) deliver(t *testing.T, id, status string, occurred, sent int) {
	t.Helper()
	wantCode(t, id, s.track(t, id, status, noon().Add(time.Duration(occurred)*time.Second), func(e *verification.Event) {
		e.SentAt = noon().Add(time.Duration(sent) * time.Second)
	}), "")
}

// told are the statuses on the bus, in their order.
func (s *system) told() string {
	var statuses []string
	for _, e := range s.bus.Published() {
		statuses = append(statuses, e.Status)
	}
	return strings.Join(statuses, ", ")
}

// Ensure that events of whichever order, whose times do not tell which is newer, end with Didit's
// status in the record, for the tasks and as the last word on the bus.
func TestTracker_doubtful(t *testing.T) {
	t.Parallel()
	type event struct {
		status         string
		occurred, sent int
	}
	for _, test := range []struct {
		name   string
		read   string // by a caller, at noon; empty: none
		events []event
		didit  string
		before string // on record before the doubt is settled
		bus    string // what reads tell it
	}{
		{"a read, then an approval that happened before it", "In Progress", []event{{"Approved", -4, 2}}, "Approved", "In Progress", "In Progress, Approved"},
		{"a read, then an older status", "In Progress", []event{{"Approved", -4, 2}}, "In Progress", "In Progress", "In Progress, In Progress"},
		{"times of the session, in order", "", []event{{"In Progress", 0, 1}, {"Approved", 0, 5}, {"In Review", 0, 9}}, "In Review", "Approved", "In Review"},
		{"times of the session, a decision taken back and given again", "", []event{{"Approved", 0, 5}, {"In Review", 0, 9}, {"Declined", 0, 20}}, "Declined", "Declined", "Declined"},
		{"times of the session, out of order", "", []event{{"In Review", 0, 9}, {"In Progress", 0, 1}}, "In Review", "In Progress", "In Review"},
		{"two of one second", "", []event{{"In Progress", 0, 0}, {"In Review", 0, 0}}, "In Review", "In Review", "In Review"},
		{"two of one second, the other way", "", []event{{"In Review", 0, 0}, {"In Progress", 0, 0}}, "In Review", "In Progress", "In Review"},
		{"resubmitted, with the session's time", "", []event{{"Declined", 0, 5}, {"Resubmitted", 0, 60}}, "Resubmitted", "Declined", "Resubmitted"},
	} {
		for _, byCaller := range []bool{false, true} {
			s := newSystem()
			s.record(t, session, func(r *verification.Record) {
				r.CheckedAt, r.CreatedAt = noon().Add(-time.Hour), noon().Add(-time.Hour)
			})
			if test.read != "" {
				s.wire.set(says(test.read))
				if _, err := s.Status(t.Context(), owner, session); err != nil {
					t.Fatal(err)
				}
			}
			for _, e := range test.events {
				s.deliver(t, e.status+" "+time.Duration(e.sent).String(), e.status, e.occurred, e.sent)
			}
			s.clock.pass(90 * time.Second)
			r := s.stored(t, session)
			want(t, test.name+": before", r.Status, test.before)
			want(t, test.name+": due", !r.DueFrom.IsZero() && !r.DueFrom.After(noon()), true)
			want(t, test.name+": class", r.Class(), verification.ClassUnread)
			s.wire.set(says(test.didit))
			if byCaller {
				got, err := s.Status(t.Context(), owner, session)
				wantCode(t, test.name, err, "")
				want(t, test.name+": for the caller", got.Status, test.didit)
			} else {
				s.reconcile(t)
			}
			r = s.stored(t, session)
			want(t, test.name+": status", r.Status, test.didit)
			want(t, test.name+": in doubt", r.DoubtAt.IsZero(), true)
			want(t, test.name+": due", r.DueFrom.After(s.clock.now()) || verification.Final(test.didit) && r.DueFrom.IsZero(), true)
			want(t, test.name+": on the bus", s.told(), test.bus)
		}
	}
}

// Ensure that a final status that a doubtful event disputes completes its tasks, and is read.
func TestTracker_doubtful_tasks(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.wire.set(says("In Progress"))
	s.tasks.Open(token)
	s.record(t, session, nil)
	wantCode(t, "Await", s.Await(t.Context(), session, token), "")
	s.deliver(t, "e1", "Approved", -4, 2)
	want(t, "task before", s.ended(token), "")
	s.clock.pass(time.Minute)
	s.wire.set(says("Approved"))
	want(t, "sum", s.reconcile(t), "asked 1, changed 1, failed 0")
	want(t, "task", s.ended(token), "Approved")
	want(t, "not due", s.stored(t, session).DueFrom.IsZero(), true)

	s.clock.pass(time.Minute)
	s.deliver(t, "e2", "In Review", 0, 100)
	s.tasks.Open("second")
	wantCode(t, "Await", s.Await(t.Context(), session, "second"), "")
	want(t, "second task", s.ended("second"), "Approved")
	want(t, "due from", s.stored(t, session).DueFrom, s.clock.now())
	want(t, "class", s.stored(t, session).Class(), verification.ClassUnread)
}

// Ensure that only a read in a later second than the doubtful event was sent settles the doubt, and
// that a failed one leaves it to the pauses.
func TestTracker_doubtful_settles(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.wire.set(says("In Progress"))
	s.record(t, session, nil)
	s.deliver(t, "e1", "In Progress", 0, 0)
	s.deliver(t, "e2", "Approved", -4, 150) // sent by a clock ahead of ours
	s.clock.pass(150*time.Second + 999*time.Millisecond)
	want(t, "too early", s.reconcile(t), "asked 1, changed 0, failed 0")
	r := s.stored(t, session)
	want(t, "in doubt", r.DoubtAt, noon().Add(150*time.Second))
	want(t, "due from", r.DueFrom, noon().Add(151*time.Second))
	s.clock.pass(time.Minute)
	s.wire.set(fails(503))
	want(t, "Didit is down", s.reconcile(t), "asked 1, changed 0, failed 1")
	r = s.stored(t, session)
	want(t, "class after a failure", r.Class(), verification.ClassOther)
	want(t, "due from after a failure", r.DueFrom, s.clock.now().Add(30*time.Minute))
	want(t, "still in doubt", r.DoubtAt.IsZero(), false)
	s.clock.pass(30 * time.Minute)
	s.wire.set(says("In Progress"))
	want(t, "settled", s.reconcile(t), "asked 1, changed 0, failed 0")
	want(t, "no longer in doubt", s.stored(t, session).DoubtAt.IsZero(), true)
}

// Ensure that a late or doubtful event confirms nothing: the next caller reads.
func TestTracker_doubtful_confirmsNothing(t *testing.T) {
	t.Parallel()
	for _, sent := range []int{-4, 2} {
		s := newSystem()
		s.record(t, session, nil)
		s.deliver(t, "e1", "In Progress", 0, 0)
		s.clock.pass(2 * time.Minute)
		s.deliver(t, "e2", "In Review", -4, sent)
		want(t, "confirmed at", s.stored(t, session).CheckedAt, noon())
	}
}

// Ensure that a read does not overrule what was recorded while it was under way, wherever our clock
// stands: neither directly nor through the bus.
func TestTracker_overlap(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{0, time.Second, time.Hour} {
		for _, delivered := range []bool{false, true} { // the event of the read reaches the table first
			s := newSystem()
			s.record(t, session, nil)
			s.clock.pass(time.Hour)
			at := s.clock.now().Add(-ahead)
			s.wire.set(func(id string, r *http.Request) response {
				if !delivered {
					wantCode(t, "Track", s.track(t, "e1", "Approved", at), "")
				}
				return says("In Progress")(id, r)
			})
			b := s.Tracker.Store.(*backend)
			call := b.call
			b.call = func(name string, make func() error) error {
				if delivered && strings.HasPrefix(name, "Replace In Progress") {
					b.call = call
					wantCode(t, "Track", s.track(t, "e1", "Approved", at), "")
					for _, e := range s.bus.Published() {
						wantCode(t, "Track what was read", s.Track(t.Context(), e), "")
					}
				}
				return call(name, make)
			}
			r, err := s.Status(t.Context(), owner, session)
			wantCode(t, "Status", err, "")
			want(t, "status for the caller", r.Status, "Approved")
			r = s.stored(t, session)
			want(t, "status", r.Status, "Approved")
			want(t, "due", !r.DueFrom.IsZero() && !r.DueFrom.After(s.clock.now()), true)
			for _, e := range s.bus.Published() {
				wantCode(t, "Track again", s.Track(t.Context(), e), "")
			}
			want(t, "status in the end", s.stored(t, session).Status, "Approved")
			s.clock.pass(61 * time.Second)
			s.wire.set(says("Approved"))
			s.reconcile(t)
			want(t, "not due", s.stored(t, session).DueFrom.IsZero(), true)
			if told := s.told(); told != "" && !strings.HasSuffix(told, "Approved") {
				t.Errorf("ahead %v: the bus was told %s, want the last to be Approved", ahead, told)
			}
		}
	}
}

// Ensure that a slow read is dropped if another read was recorded while it was under way.
func TestTracker_overlap_reads(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.record(t, session, nil)
	wantCode(t, "Track", s.track(t, "e1", "In Review", noon()), "")
	s.clock.pass(time.Hour)
	s.wire.set(func(id string, r *http.Request) response {
		s.clock.pass(2 * time.Minute)
		s.wire.set(says("In Review"))
		if got, err := s.Status(t.Context(), owner, session); err != nil || got.Status != "In Review" {
			t.Errorf("second read: got %v, error %v", got, err)
		}
		return says("In Progress")(id, r)
	})
	r, err := s.Status(t.Context(), owner, session)
	wantCode(t, "Status", err, "")
	want(t, "status", r.Status, "In Review")
	want(t, "due", s.stored(t, session).DueFrom, s.clock.now())
}

// Ensure that an event that was read, and comes from the bus first, is recorded and not published
// again.
func TestTracker_Track_read(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.wire.set(says("Approved"))
	s.record(t, session, nil)
	s.clock.pass(time.Hour)
	s.refuse["Replace"] = down()
	if _, err := s.Status(t.Context(), owner, session); err != nil {
		t.Fatal(err)
	}
	delete(s.refuse, "Replace")
	tracker := &verification.Tracker{Store: s.store, Tasks: s.tasks, Now: s.clock.now} // as in trackstatus
	for range 2 {
		wantCode(t, "Track", tracker.Track(t.Context(), s.bus.Published()[0]), "")
	}
	want(t, "status", s.stored(t, session).Status, "Approved")
	want(t, "published", len(s.bus.Published()), 1)
	// A late copy of a read does not put in doubt what happened after it.
	late := s.bus.Published()[0]
	late.ID, late.Status = "read:0:late", "In Progress"
	late.OccurredAt = late.OccurredAt.Add(-time.Second)
	wantCode(t, "Track", tracker.Track(t.Context(), late), "")
	want(t, "in doubt", s.stored(t, session).DoubtAt.IsZero(), true)
}

// Ensure that what was delivered before the read was claimed saves the read.
func TestTracker_readSaved(t *testing.T) {
	t.Parallel()
	for name, act := range map[string]func(*system) error{
		"for a caller":  func(s *system) error { _, err := s.Status(t.Context(), owner, session); return err },
		"for reconcile": func(s *system) error { _, err := s.Reconcile(t.Context()); return err },
	} {
		s := newSystem()
		s.record(t, session, nil)
		s.clock.pass(time.Hour)
		b := s.Tracker.Store.(*backend)
		call := b.call
		b.call = func(call0 string, make func() error) error {
			if call0 == "Claim" {
				b.call = call
				wantCode(t, "Track", s.track(t, "e1", "Approved", s.clock.now()), "")
			}
			return call(call0, make)
		}
		wantCode(t, name, act(s), "")
		want(t, name+": requests to Didit", s.wire.count(), 0)
	}
}

// Ensure that a delivery during a read that Didit answers with not having the session counts.
func TestTracker_overlap_missing(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.record(t, session, nil)
	s.clock.pass(time.Hour)
	s.wire.set(func(id string, r *http.Request) response {
		wantCode(t, "Track", s.track(t, "e1", "In Progress", s.clock.now()), "")
		return fails(404)(id, r)
	})
	if _, err := s.Status(t.Context(), owner, session); err != nil {
		t.Fatal(err)
	}
	want(t, "not known", s.stored(t, session).UnknownSince.IsZero(), true)

	s = newSystem()
	s.record(t, session, nil)
	s.clock.pass(15*time.Minute + time.Second)
	s.neighbor(t, workflow) // comes second
	s.wire.set(func(id string, r *http.Request) response {
		if id == session {
			return fails(404)(id, r)
		}
		wantCode(t, "Track", s.track(t, "e1", "In Progress", s.clock.now()), "")
		return says("In Progress")(id, r)
	})
	s.reconcile(t)
	want(t, "counted", s.stored(t, session).UnknownReads, 0)
}

// Ensure that creates, claims and tasks are no news: a read goes on beside them.
func TestTracker_overlap_none(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.record(t, session, nil)
	s.clock.pass(time.Hour)
	s.wire.set(func(id string, r *http.Request) response {
		s.record(t, session, nil)
		if err := s.store.AddToken(t.Context(), session, token); err != nil {
			t.Error(err)
		}
		if _, _, err := s.store.Enroll(t.Context(), verification.NewRecord(session, "", "", "Not Started", s.clock.now())); err != nil {
			t.Error(err)
		}
		return says("Approved")(id, r)
	})
	s.tasks.Open(token)
	r, err := s.Status(t.Context(), owner, session)
	wantCode(t, "Status", err, "")
	want(t, "status", r.Status, "Approved")
	want(t, "task", s.ended(token), "Approved")
}

// Ensure that of many callers at once one reads.
func TestTracker_Status_together(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.wire.set(says("In Progress"))
	s.record(t, session, nil)
	s.clock.pass(time.Hour)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			_, err := s.Status(t.Context(), owner, session)
			wantCode(t, "Status", err, "")
		})
		all.Go(func() {
			_, err := s.Reconcile(t.Context())
			wantCode(t, "Reconcile", err, "")
		})
	}
	all.Wait()
	want(t, "requests to Didit", s.wire.count(), 1)
	want(t, "published", len(s.bus.Published()), 1)
}

// Ensure that a final status is not for ever: what changed at Didit without a webhook is found by
// the first request a day later, is published, and completes tasks; its checks go with it.
func TestTracker_Status_finalAged(t *testing.T) {
	t.Parallel()
	for _, status := range []string{"Kyc Expired", "Declined", "In Review", "Resubmitted", "Approved"} {
		s := newSystem()
		s.wire.set(says(status))
		s.record(t, session, nil)
		approved := "Approved"
		wantCode(t, "Track", s.track(t, "e1", "Approved", noon(), func(e *verification.Event) {
			e.Checks = []verification.Check{{Feature: "LIVENESS", Status: &approved}}
		}), "")
		expires := s.stored(t, session).Expires
		s.clock.pass(24*time.Hour - time.Millisecond)
		if r, err := s.Status(t.Context(), owner, session); err != nil || r.Status != "Approved" {
			t.Errorf("before a day: got %v, error %v, want Approved", r, err)
		}
		want(t, status+": read before", s.wire.count(), 0)
		want(t, status+": reconcile", s.reconcile(t), "asked 0, changed 0, failed 0")
		s.clock.pass(time.Millisecond)
		r, err := s.Status(t.Context(), owner, session)
		wantCode(t, status, err, "")
		want(t, status+": status", r.Status, status)
		want(t, status+": published", s.told(), map[bool]string{true: status}[status != "Approved"])
		want(t, status+": checks", len(r.Checks), map[bool]int{true: 1}[verification.Final(status)])
		want(t, status+": expires with the change", r.Expires.After(expires), status != "Approved")
		s.clock.pass(23 * time.Hour)
		s.wire.set(says("Declined"))
		if r, err := s.Status(t.Context(), owner, session); verification.Final(status) && (err != nil || r.Status != status) {
			t.Errorf("%s, confirmed less than a day ago: got %v, error %v", status, r, err)
		}
	}
}

// Ensure that a delivery that was on its way for long does not take back what a read has confirmed
// since it happened.
func TestTracker_lateAfterConfirmation(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.wire.set(says("Approved"))
	s.record(t, session, nil)
	wantCode(t, "Track", s.track(t, "e1", "Approved", noon()), "")
	s.clock.pass(25 * time.Hour)
	if _, err := s.Status(t.Context(), owner, session); err != nil {
		t.Fatal(err)
	}
	s.deliver(t, "late", "In Progress", 300, 300)
	r := s.stored(t, session)
	want(t, "status", r.Status, "Approved")
	want(t, "updated at", r.StatusAt, noon())
	want(t, "due", r.DueFrom, s.clock.now())
}

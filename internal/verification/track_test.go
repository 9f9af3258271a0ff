package verification_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"didit-sessions/internal/didit"
	"didit-sessions/internal/verification"
)

// Ensure that a delivery is published once, as one of a session on record or not, and changes
// nothing by itself.
func TestTracker_Receive(t *testing.T) {
	t.Parallel()
	at := noon().Add(-time.Minute)
	foreign, elsewhere, live := "someone else", "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "live"
	passed := "Approved"
	for _, test := range []struct {
		name   string
		known  func(*verification.Record) // nil: not on record
		change func(*didit.WebhookEvent)
		kind   string
		want   string
	}{
		{"recorded", func(*verification.Record) {}, nil, verification.DetailStatusUpdated, someone + " " + workflow},
		{"recorded, with a foreign owner in the event", func(*verification.Record) {}, func(w *didit.WebhookEvent) { w.VendorData, w.WorkflowID = &foreign, &elsewhere },
			verification.DetailStatusUpdated, someone + " " + workflow},
		{"recorded, owner not known", func(r *verification.Record) { r.VendorData, r.WorkflowID = "", "" },
			func(w *didit.WebhookEvent) { w.VendorData, w.WorkflowID = &foreign, &elsewhere }, verification.DetailStatusUpdated, foreign + " " + elsewhere},
		{"recorded, no owner", func(r *verification.Record) { r.VendorData, r.WorkflowID = "", "" }, nil, verification.DetailStatusUpdated, " "},
		{"unrecorded", nil, func(w *didit.WebhookEvent) { w.VendorData = &foreign }, verification.DetailUnrecordedUpdate, foreign + " "},
		{"data", func(*verification.Record) {}, func(w *didit.WebhookEvent) { w.Type = didit.TypeDataUpdated }, verification.DetailDataUpdated, someone + " " + workflow},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newSystem()
			if test.known != nil {
				s.record(t, session, test.known)
			}
			w := delivered("e1", "Approved", at.In(time.FixedZone("elsewhere", 3600)))
			w.Environment, w.Checks = &live, []didit.Check{{Feature: "AML", Status: &passed}, {Feature: "NFC"}}
			if test.change != nil {
				test.change(&w)
			}
			wantCode(t, "Receive", s.receive(t.Context(), w), "")
			want(t, "calls", s.did(), "Publish Approved")
			e := s.bus.Published()[0]
			want(t, "detail type", e.DetailType(), test.kind)
			want(t, "owner and workflow", e.VendorData+" "+e.WorkflowID, test.want)
			if e.ID != "e1" || e.SessionID != session || e.Status != "Approved" || !e.OccurredAt.Equal(at) || e.Environment != live ||
				len(e.Checks) != 2 || e.Checks[0].Feature != "AML" || *e.Checks[0].Status != passed || e.Checks[1].Status != nil {
				t.Errorf("got %v of %v with other contents than were delivered", e, e.OccurredAt)
			}
		})
	}
}

func TestTracker_Receive_ignored(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.refuse["Record"], s.refuse["Publish"] = down(), down()
	wantCode(t, "a type that is no session's", s.receive(t.Context(), didit.WebhookEvent{ID: "e1", Type: "user.status.updated", Ignored: true}), "")
}

func TestTracker_Receive_trouble(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"Record", "Publish"} {
		for _, code := range []verification.Code{verification.CodeBackendUnavailable, verification.CodeInternal} {
			s := newSystem()
			s.record(t, session, nil)
			s.refuse[call] = verification.NewError(code, "")
			wantCode(t, call+" fails", s.receive(t.Context(), delivered("e1", "Approved", noon())), code)
			want(t, call+" fails: calls", s.did(), "")
		}
	}
}

// Ensure that no id of Didit's looks like one of ours, and that a long one is still unique.
func TestTracker_Receive_ids(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 129)
	seen := map[string]string{}
	for id, kept := range map[string]bool{"e1": true, long[:128]: true, "reader:1": true, long: false, long + "y": false, "read:": false, "read:0123": false} {
		s := newSystem()
		for range 2 {
			wantCode(t, "Receive", s.receive(t.Context(), delivered(id, "Approved", noon())), "")
		}
		first, second := s.bus.Published()[0].ID, s.bus.Published()[1].ID
		if (first == id) != kept || len(first) > 128 || strings.HasPrefix(first, "read:") || first != second {
			t.Errorf("%.20s: got ids %q and %q, want one of ours: %v", id, first, second, !kept)
		}
		if other, ok := seen[first]; ok {
			t.Errorf("%.20s and %.20s became one id", id, other)
		}
		seen[first] = id
	}
}

// track delivers an event of the bus.
func (s *system) track(t *testing.T, id, status string, at time.Time, change ...func(*verification.Event)) error {
	t.Helper()
	e := verification.Event{ID: id, Recorded: true, SessionID: session, Status: status, OccurredAt: at}
	for _, c := range change {
		c(&e)
	}
	return s.Track(t.Context(), e)
}

// Ensure that an event is recorded, and that a final status ends the tasks: with the status that
// stands, each by its own kind of end.
func TestTracker_Track(t *testing.T) {
	t.Parallel()
	for status, end := range map[string]string{
		"Approved": "Approved", "Declined": "Declined", "Kyc Expired": "Kyc Expired", "Expired": "SessionExpired", "Abandoned": "SessionAbandoned",
		"In Review": "", "Resubmitted": "", "Under Appeal": "",
	} {
		t.Run(status, func(t *testing.T) {
			t.Parallel()
			s := newSystem()
			s.record(t, session, func(r *verification.Record) { r.Awaited = true })
			for _, token := range []string{"one", "two"} {
				s.tasks.Open(token)
				if err := s.store.AddToken(t.Context(), session, token); err != nil {
					t.Fatal(err)
				}
			}
			s.clock.pass(time.Second)
			wantCode(t, "Track", s.track(t, "e1", status, noon()), "")
			r := s.stored(t, session)
			want(t, "status", r.Status, status)
			want(t, "first task", s.ended("one"), end)
			want(t, "second task", s.ended("two"), end)
			want(t, "tasks that wait", len(s.waiting(t, session)) == 0, end != "")
			want(t, "due", r.DueFrom.IsZero(), end != "")
			if end != "" && s.ended("one") == status {
				outcome, _ := s.tasks.Outcome("one")
				want(t, "output", outcome.Output, `{"session_id":"`+session+`","vendor_data":"`+someone+`","workflow_id":"`+workflow+`","status":"`+status+`"}`)
			}
		})
	}
}

// Ensure that an output tells what is not known as null.
func TestTracker_Track_unknownOwner(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.record(t, session, func(r *verification.Record) { r.Awaited, r.VendorData, r.WorkflowID = true, "", "" })
	s.tasks.Open(token)
	if err := s.store.AddToken(t.Context(), session, token); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "Track", s.track(t, "e1", "Approved", noon()), "")
	outcome, _ := s.tasks.Outcome(token)
	want(t, "output", outcome.Output, `{"session_id":"`+session+`","vendor_data":null,"workflow_id":null,"status":"Approved"}`)
}

// Ensure that what is not a status of a session on record touches nothing.
func TestTracker_Track_ignored(t *testing.T) {
	t.Parallel()
	s := newSystem()
	wantCode(t, "not on record", s.track(t, "e1", "Approved", noon()), "")
	s.record(t, session, nil)
	wantCode(t, "unrecorded", s.track(t, "e2", "Approved", noon(), func(e *verification.Event) { e.Recorded = false }), "")
	wantCode(t, "data", s.track(t, "e3", "Approved", noon(), func(e *verification.Event) { e.DataUpdated = true }), "")
	want(t, "calls", s.did(), "")
}

// Ensure that a late event, and a repeated one, end what still waits, with the status that stands.
func TestTracker_Track_heals(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]func(*system, *testing.T) error{
		"redelivery": func(s *system, t *testing.T) error { return s.track(t, "e1", "Declined", noon()) },
		"late event": func(s *system, t *testing.T) error { return s.track(t, "e0", "Approved", noon().Add(-time.Hour)) },
	} {
		s := newSystem()
		s.record(t, session, func(r *verification.Record) { r.Awaited = true })
		s.tasks.Open(token)
		if err := s.store.AddToken(t.Context(), session, token); err != nil {
			t.Fatal(err)
		}
		s.refuse["Succeed"] = down()
		wantCode(t, name+": tasks out of reach", s.track(t, "e1", "Declined", noon()), verification.CodeBackendUnavailable)
		want(t, name+": before", s.ended(token), "")
		delete(s.refuse, "Succeed")
		wantCode(t, name, again(s, t), "")
		want(t, name+": after", s.ended(token), "Declined")
		want(t, name+": tasks that wait", len(s.waiting(t, session)), 0)
	}
}

// Ensure that a task that fails does not hold up the others, and is tried again.
func TestTracker_Track_oneTaskInTrouble(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.record(t, session, func(r *verification.Record) { r.Awaited = true })
	for _, token := range []string{"one", "two", "three"} {
		s.tasks.Open(token)
		if err := s.store.AddToken(t.Context(), session, token); err != nil {
			t.Fatal(err)
		}
	}
	b := s.Tracker.Tasks.(*backend)
	call, tried := b.call, 0
	b.call = func(name string, make func() error) error {
		if name == "Succeed" {
			if tried++; tried == 1 {
				return down()
			}
		}
		return call(name, make)
	}
	wantCode(t, "Track", s.track(t, "e1", "Approved", noon()), verification.CodeBackendUnavailable)
	want(t, "tasks that wait", strings.Join(s.waiting(t, session), " "), "one")
	want(t, "not due", s.stored(t, session).DueFrom.IsZero(), false)
	wantCode(t, "Track again", s.track(t, "e1", "Approved", noon()), "")
	want(t, "the first task", s.ended("one"), "Approved")
	want(t, "not due", s.stored(t, session).DueFrom.IsZero(), true)
}

// Ensure that every service that fails makes Track fail, so that it is called again.
func TestTracker_Track_trouble(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"Record", "Replace", "Tokens", "Succeed", "RemoveToken"} {
		s := newSystem()
		s.record(t, session, func(r *verification.Record) { r.Awaited = true })
		if err := s.store.AddToken(t.Context(), session, token); err != nil {
			t.Fatal(err)
		}
		s.refuse[call] = down()
		wantCode(t, call, s.track(t, "e1", "Approved", noon()), verification.CodeBackendUnavailable)
	}
}

// Ensure that a record under constant change ends in an error, not in a loop.
func TestTracker_Track_contended(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.record(t, session, nil)
	b := s.Tracker.Store.(*backend)
	call := b.call
	b.call = func(name string, make func() error) error {
		if strings.HasPrefix(name, "Replace") {
			s.record(t, session, nil) // another writer
		}
		return call(name, make)
	}
	err := s.track(t, "e1", "Approved", noon())
	wantCode(t, "Track", err, verification.CodeBackendUnavailable)
	if e, _ := errors.AsType[*verification.Error](err); e == nil || e.RetryAfter == 0 {
		t.Errorf("got %v, want a time to try again", err)
	}
}

// Ensure that who has no tasks leaves them, and the session due, to others.
func TestTracker_Track_withoutTasks(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.Tracker.Tasks = nil
	s.record(t, session, func(r *verification.Record) { r.Awaited = true })
	if err := s.store.AddToken(t.Context(), session, token); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "Track", s.track(t, "e1", "Approved", noon()), "")
	want(t, "tasks that wait", len(s.waiting(t, session)), 1)
	want(t, "not due", s.stored(t, session).DueFrom.IsZero(), false)
}

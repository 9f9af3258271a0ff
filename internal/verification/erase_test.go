package verification_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"didit-sessions/internal/didit"
	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/verification"
)

// simulated is the transport to a simulator in this process.
type simulated struct{ *didittest.Server }

func (s simulated) RoundTrip(r *http.Request) (*http.Response, error) {
	rw := httptest.NewRecorder()
	s.ServeHTTP(rw, r)
	return rw.Result(), nil
}

// erasing is a system with a Didit that has sessions.
type erasing struct {
	*system
	didit  *didittest.Server
	eraser *verification.Eraser
	slept  []time.Duration // by the eraser
}

func newErasing() *erasing {
	s := &erasing{system: newSystem()}
	s.didit = &didittest.Server{Now: s.clock.now}
	b := &backend{store: s.store, bus: s.bus, tasks: s.tasks, call: s.call}
	s.eraser = &verification.Eraser{Store: b, Bus: b, Tasks: b, AtOnce: 1, Now: s.clock.now,
		Didit: &didit.Client{
			APIURL: "http://didit.test", Transport: simulated{s.didit}, AttemptTimeout: time.Hour,
			Credentials: &didit.CredentialCache{Read: func(context.Context) (string, error) {
				return `{"client_id":"` + didittest.DefaultClientID + `","client_secret":"` + didittest.DefaultClientSecret + `"}`, nil
			}},
			Pace: &didit.Pace{Now: s.clock.now, Sleep: func(_ context.Context, d time.Duration) bool { s.clock.pass(d); return true }},
		},
		Sleep:        func(_ context.Context, d time.Duration) { s.clock.pass(d); s.slept = append(s.slept, d) },
		LogRecovered: s.LogRecovered,
	}
	return s
}

// session creates a session at Didit, and puts it on record with a status unless that is empty.
func (s *erasing) session(t *testing.T, vendorData, status string) string {
	t.Helper()
	started, err := s.didit.StartSession(workflow, vendorData)
	if err != nil {
		t.Fatal(err)
	}
	if status != "" {
		s.record(t, started.ID, func(r *verification.Record) {
			r.VendorData, r.Status = vendorData, status
			r.Seen, r.Checks = []string{"an event"}, []verification.Check{{Feature: "LIVENESS"}}
		})
	}
	return started.ID
}

// wait has a task wait on a session.
func (s *erasing) wait(t *testing.T, id, token string) {
	t.Helper()
	s.tasks.Open(token)
	if err := s.store.AddToken(t.Context(), id, token); err != nil {
		t.Fatal(err)
	}
}

// left are the sessions that Didit has not deleted, by their owners.
func (s *erasing) left() (owners []string) {
	for _, v := range s.didit.Sessions() {
		if !v.Deleted {
			owners = append(owners, v.VendorData)
		}
	}
	return owners
}

// published are the detail types on the bus.
func (s *erasing) published() (types []string) {
	for _, e := range s.bus.Published() {
		types = append(types, e.DetailType())
	}
	return types
}

func (s *erasing) erase(t *testing.T, what string, want verification.Erased) {
	t.Helper()
	got, err := s.eraser.Erase(t.Context(), someone)
	if err != nil || got != want {
		t.Errorf("%s: got %+v, error %v, want %+v", what, got, err, want)
	}
}

// Ensure that everything of the end user is deleted, here and at Didit, and nothing of another one,
// and that subscribers get one event, also if nothing was found.
func TestEraser_Erase(t *testing.T) {
	t.Parallel()
	s := newErasing()
	final, unfinished, unrecorded := s.session(t, someone, "Approved"), s.session(t, someone, "In Progress"), s.session(t, someone, "")
	gone := numbered(7)
	s.record(t, gone, nil) // Didit's own retention has deleted it
	others := []string{s.session(t, "user-124", "Approved"), s.session(t, "User-123", "Approved"), s.session(t, "user-12", "In Progress")}
	s.wait(t, unfinished, "one")
	s.wait(t, unfinished, "two")
	s.wait(t, unrecorded, "three")
	s.wait(t, others[2], "another")

	s.erase(t, "first", verification.Erased{Sessions: 4, Deleted: 4, UserDeleted: true})
	for _, id := range []string{final, unfinished, unrecorded, gone} {
		want := verification.Record{SessionID: id, Erased: true, Expires: noon().Add(30 * 24 * time.Hour)}
		if r := s.stored(t, id); r.Expires.Sub(want.Expires) > time.Minute || r.VendorData != "" || r.WorkflowID != "" || r.Status != "" || !r.CreatedAt.IsZero() || r.Seen != nil || r.Checks != nil || !r.Erased || r.Version != 0 {
			t.Errorf("%s: got owner %q, version %d, %v until %v, want nothing but that it is erased", id, r.VendorData, r.Version, r, r.Expires)
		}
		if tokens := s.waiting(t, id); len(tokens) > 0 {
			t.Errorf("%s: got tokens %q, want none", id, tokens)
		}
	}
	for _, token := range []string{"one", "two", "three"} {
		want(t, "task "+token, s.ended(token), "UserErased")
	}
	want(t, "another user's task", s.ended("another"), "")
	if got := s.left(); !slices.Equal(got, []string{"user-124", "User-123", "user-12"}) {
		t.Errorf("Didit still has sessions of %q, want the others'", got)
	}
	if got := s.didit.Users(); !slices.Equal(got, []string{"User-123", "user-12", "user-124"}) {
		t.Errorf("Didit still has the users %q, want the others", got)
	}
	for _, id := range others {
		if r := s.stored(t, id); r.Erased || r.VendorData == "" {
			t.Errorf("another user's session %s was erased", id)
		}
	}
	events := s.bus.Published()
	if len(events) != 1 || events[0].DetailType() != "Verification User Erased" || events[0].VendorData != someone || events[0].ID == "" || events[0].OccurredAt.IsZero() {
		t.Fatalf("got events %v, want one about the user", events)
	}
	if detail, err := verification.EncodeDetail(events[0]); err != nil || string(detail) != `{"event_id":"`+events[0].ID+`","vendor_data":"user-123","occurred_at":"`+events[0].OccurredAt.Format(time.RFC3339)+`"}` {
		t.Errorf("got the detail %s, error %v", detail, err)
	}
	for _, r := range s.didit.Requests() {
		if r.AuthScheme != "x-api-key" || !strings.HasPrefix(r.Path, "/v3/") {
			t.Errorf("got %s %s with %q, want v3 with an API key", r.Method, r.Path, r.AuthScheme)
		}
	}

	s.clock.pass(time.Minute)
	s.erase(t, "again", verification.Erased{UserDeleted: true})
	if events := s.bus.Published(); len(events) != 2 || events[0].ID == events[1].ID {
		t.Errorf("again: got events %v, want another one", events)
	}
	want(t, "troubles", s.troubles(), "")
}

// Ensure that nothing is touched if Didit lists a session of another end user, on whatever page.
func TestEraser_Erase_foreign(t *testing.T) {
	t.Parallel()
	for name, arrange := range map[string]func(t *testing.T, s *erasing){
		"the filter is ignored": func(t *testing.T, s *erasing) {
			s.session(t, "user-124", "Approved")
			s.didit.Inject(didittest.Fault{On: didittest.OpList, Mode: didittest.ModeUnfiltered})
		},
		"on the third page": func(t *testing.T, s *erasing) {
			s.session(t, "user-124", "")
			for range 120 {
				s.session(t, someone, "")
			}
			s.didit.Inject(didittest.Fault{On: didittest.OpList, Mode: didittest.ModeUnfiltered})
		},
		"without vendor data": func(t *testing.T, s *erasing) {
			s.session(t, "", "")
			s.didit.Inject(didittest.Fault{On: didittest.OpList, Mode: didittest.ModeUnfiltered})
		},
		"in another spelling": func(_ *testing.T, s *erasing) {
			s.didit.Inject(didittest.Fault{On: didittest.OpList, Status: 200, Body: `{"results":[{"session_id":"` + session + `","vendor_data":"user-123 "}]}`})
		},
		"a session without a UUID": func(_ *testing.T, s *erasing) {
			s.didit.Inject(didittest.Fault{On: didittest.OpList, Status: 200, Body: `{"results":[{"session_id":"../users","vendor_data":"user-123"}]}`})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newErasing()
			id := s.session(t, someone, "In Progress")
			s.wait(t, id, "one")
			arrange(t, s)
			before := len(s.left())
			_, err := s.eraser.Erase(t.Context(), someone)
			wantCode(t, name, err, verification.CodeInternal)
			want(t, "calls", s.did(), "")
			want(t, "deletions", s.didit.Count(didittest.OpDelete)+s.didit.Count(didittest.OpDeleteUser), 0)
			want(t, "sessions at Didit", len(s.left()), before)
			if r := s.stored(t, id); r.Erased || s.ended("one") != "" || len(s.published()) > 0 {
				t.Errorf("got the record erased %v, the task ended %q, events %q, want nothing touched", r.Erased, s.ended("one"), s.published())
			}
		})
	}
}

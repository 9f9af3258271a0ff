package verification_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"didit-sessions/internal/didit"
	"didit-sessions/internal/memory"
	"didit-sessions/internal/verification"
)

const (
	session  = "99999999-2222-3333-4444-555555555555"
	workflow = "11111111-2222-3333-4444-555555555555"
	someone  = "user-123"
	token    = "AQCEAAAAKgAAAAMAAAAA+/="
)

var (
	trusted = verification.Caller{Trusted: true}
	owner   = verification.Caller{Principal: someone}
)

func noon() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

// clock stands still until it is moved.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// system is a tracker on services in memory.
type system struct {
	*verification.Tracker
	clock *clock
	store *memory.Store
	bus   *memory.Bus
	tasks *memory.Tasks
	wire  *wire
	didit *didit.Client // over the wire

	mu      sync.Mutex
	journal []string         // calls that had an effect outside, in their order
	refuse  map[string]error // what a call returns instead, by its name
	trouble []*verification.Error

	neighbors int // see neighbor
}

// newSystem has an empty table, and a Didit that knows nothing. It has time: on a busy machine a
// test would run into the limits that hold on real time.
func newSystem() *system {
	s := &system{clock: &clock{at: noon()}, store: new(memory.Store), bus: new(memory.Bus), tasks: new(memory.Tasks), wire: new(wire), refuse: map[string]error{}}
	s.store.Now = s.clock.now
	s.didit = s.wire.client()
	s.didit.AttemptTimeout = time.Hour
	b := &backend{store: s.store, bus: s.bus, tasks: s.tasks, didit: s.didit, call: s.call}
	s.Tracker = &verification.Tracker{Store: b, Bus: b, Tasks: b, Didit: b, AtOnce: 1, AskLimit: time.Hour, Now: s.clock.now, LogRecovered: func(_ context.Context, err error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.trouble = append(s.trouble, verification.AsError(err))
	}}
	return s
}

// limited gives the system the limits that hold in a deployment.
func (s *system) limited() { s.AskLimit, s.didit.AttemptTimeout = 0, 0 }

func (s *system) call(name string, make func() error) error {
	s.mu.Lock()
	word, _, _ := strings.Cut(name, " ")
	err := s.refuse[word]
	if err == nil && slices.Contains([]string{"Add", "Enroll", "Claim", "Replace", "Remove", "AddToken", "RemoveToken", "TakeReadBudget", "MarkErased", "Strip", "Publish", "Succeed", "Fail", "Decision"}, word) {
		s.journal = append(s.journal, name)
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return make()
}

// did returns the calls since the last time, and forgets them.
func (s *system) did() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := strings.Join(s.journal, ", ")
	s.journal = nil
	return text
}

// troubles are the codes of what went wrong behind the caller's back since the last time.
func (s *system) troubles() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var codes []string
	for _, e := range s.trouble {
		codes = append(codes, string(e.Code))
	}
	s.trouble = nil
	return strings.Join(codes, " ")
}

// down is what a service says that is out of reach.
func down() error { return verification.NewError(verification.CodeBackendUnavailable, "out of reach") }

// record puts a session of someone's on record as of now.
func (s *system) record(t *testing.T, id string, change func(*verification.Record)) {
	t.Helper()
	r := verification.NewRecord(id, someone, workflow, verification.StatusNotStarted, s.clock.now())
	r.DueFrom = s.clock.now().Add(cmp.Or(s.ReconcileAfter, 15*time.Minute))
	if change != nil {
		change(&r)
		r.Unread = !r.Final()
	}
	if _, _, err := s.store.Add(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

// due are the sessions that are due at a time, by their class.
func due(store *memory.Store, at time.Time) (ids []string) {
	for class := range verification.ClassOther + 1 {
		listed, _ := all(store.Due(context.Background(), class, at))
		ids = append(ids, listed...)
	}
	return ids
}

// stored is the record of a session, which there must be.
func (s *system) stored(t *testing.T, id string) verification.Record {
	t.Helper()
	r, ok, err := s.store.Record(t.Context(), id)
	if err != nil || !ok {
		t.Fatalf("record of %s: got %v, error %v, want one", id, ok, err)
	}
	return r
}

func (s *system) waiting(t *testing.T, id string) []string {
	t.Helper()
	tokens, err := s.store.Tokens(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

// ended is how a task ended: a status, the name of an error, or nothing.
func (s *system) ended(token string) string { return ending(s.tasks, token) }

func ending(tasks *memory.Tasks, token string) string {
	outcome, over := tasks.Outcome(token)
	switch {
	case !over:
		return ""
	case outcome.Failed:
		return outcome.Name
	}
	var output struct{ Status string }
	_ = json.Unmarshal([]byte(outcome.Output), &output) // an empty status then
	return output.Status
}

// wantCode checks an error; an empty code stands for none.
func wantCode(t *testing.T, what string, err error, code verification.Code) {
	t.Helper()
	if err == nil && code == "" {
		return
	}
	if e, ok := errors.AsType[*verification.Error](err); !ok || e.Code != code {
		t.Errorf("%s: got error %v (%T), want code %q", what, err, err, code)
	}
}

func want[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// delivered is an event of status.updated, sent when it occurred.
func delivered(id, status string, at time.Time) didit.WebhookEvent {
	return didit.WebhookEvent{ID: id, Type: didit.TypeStatusUpdated, SessionID: session, Status: status, OccurredAt: at, SentAt: at}
}

func (s *system) receive(ctx context.Context, w didit.WebhookEvent) error {
	_, err := s.Receive(ctx, w)
	return err
}

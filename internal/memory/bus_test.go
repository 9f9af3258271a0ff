package memory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"didit-sessions/internal/verification"
	"didit-sessions/internal/verification/verificationtest"
)

// listener is a subscriber that fails on request.
type listener struct {
	mu     sync.Mutex
	got    []verification.Event
	start  time.Time
	at     map[string][]time.Duration                  // when an event came, since the start
	refuse func(e verification.Event, tried int) error // nil: nothing
}

func (l *listener) take(_ context.Context, e verification.Event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.got = append(l.got, e)
	l.at[e.ID] = append(l.at[e.ID], time.Since(l.start))
	if l.refuse != nil {
		return l.refuse(e, len(l.at[e.ID]))
	}
	return nil
}

func (l *listener) ids() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var ids []string
	for _, e := range l.got {
		ids = append(ids, e.ID)
	}
	return strings.Join(ids, " ")
}

func listen(b *Bus, refuse func(verification.Event, int) error) *listener {
	l := &listener{refuse: refuse, start: time.Now(), at: map[string][]time.Duration{}}
	b.Subscribe(l.take)
	return l
}

func event(id string) verification.Event {
	return verification.Event{ID: id, Recorded: true, SessionID: "99999999-2222-3333-4444-555555555555", Status: verification.StatusApproved,
		OccurredAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
}

func publish(t *testing.T, b *Bus, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if err := b.Publish(t.Context(), event(id)); err != nil {
			t.Fatalf("Publish %s: got error %v, want none", id, err)
		}
	}
}

func wait(t *testing.T, b *Bus) {
	t.Helper()
	if err := b.Wait(t.Context()); err != nil {
		t.Errorf("Wait: got error %v, want none", err)
	}
}

func TestBus(t *testing.T) {
	t.Parallel()
	verificationtest.TestBus(t, func(*testing.T) (verification.Bus, verificationtest.Delivered) {
		b := &Bus{}
		l := listen(b, nil)
		return b, func(t *testing.T) []verification.Event {
			wait(t, b)
			l.mu.Lock()
			defer l.mu.Unlock()
			return slices.Clone(l.got)
		}
	})
}

// Ensure that a subscriber that fails gets an event again after a pause, three times at most, and
// does not delay other subscribers.
func TestBus_retry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &Bus{}
		fails := listen(b, func(e verification.Event, tried int) error {
			if e.ID == "never" || e.ID == "second" && tried < 2 {
				return errors.New("cannot be recorded")
			}
			return nil
		})
		works := listen(b, nil)
		publish(t, b, "never", "second", "fine")
		synctest.Wait()
		if got := works.ids(); got != "never second fine" {
			t.Errorf("the subscriber that works: got %s, want all events in order", got)
		}
		wait(t, b)
		for id, want := range map[string][]time.Duration{"never": {0, time.Second, 3 * time.Second}, "second": {0, time.Second}, "fine": {0}} {
			if got := fails.at[id]; !slices.Equal(got, want) {
				t.Errorf("the subscriber that fails: got the event %s at %v, want it at %v", id, got, want)
			}
		}
		if got := b.Published(); len(got) != 3 || got[0].ID != "never" || got[2].ID != "fine" {
			t.Errorf("Published: got %v, want each event once, in order", got)
		}
	})
}

// Ensure that publishing does not wait for subscribers, so that a subscriber may publish too.
func TestBus_publishWithin(t *testing.T) {
	t.Parallel()
	b := &Bus{}
	var once sync.Once
	b.Subscribe(func(ctx context.Context, e verification.Event) (err error) {
		once.Do(func() {
			b.Subscribe(func(context.Context, verification.Event) error { return nil })
			err = b.Publish(ctx, event("within"))
		})
		return err
	})
	publish(t, b, "first")
	wait(t, b)
	if got := b.Published(); len(got) != 2 || got[1].ID != "within" {
		t.Errorf("Published: got %v, want the event that the subscriber published", got)
	}
}

// Ensure that a subscriber that changes what it gets changes nothing for others.
func TestBus_copies(t *testing.T) {
	t.Parallel()
	b := &Bus{}
	for range 2 {
		b.Subscribe(func(_ context.Context, e verification.Event) error {
			if e.Checks[0].Feature != "AML" {
				t.Errorf("got a check of %s, want AML", e.Checks[0].Feature)
			}
			e.Checks[0].Feature = "CHANGED"
			return nil
		})
	}
	e := event("first")
	e.Checks = []verification.Check{{Feature: "AML"}}
	if err := b.Publish(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	wait(t, b)
	if got := b.Published()[0].Checks[0].Feature; got != "AML" {
		t.Errorf("Published: got a check of %s, want AML", got)
	}
}

// Ensure that a later subscriber does not get what was published before.
func TestBus_subscribeLater(t *testing.T) {
	t.Parallel()
	b := &Bus{}
	publish(t, b, "before")
	l := listen(b, nil)
	publish(t, b, "after")
	wait(t, b)
	if got := l.ids(); got != "after" {
		t.Errorf("got %s, want what was published after subscribing", got)
	}
}

func TestBus_refuses(t *testing.T) {
	t.Parallel()
	b := &Bus{}
	l := listen(b, nil)
	e := event("")
	err := b.Publish(t.Context(), e)
	if failure, ok := errors.AsType[*verification.Error](err); !ok || failure.Code != verification.CodeInternal {
		t.Errorf("an event without an id: got %v, want internal", err)
	}
	wait(t, b)
	if got := len(l.got) + len(b.Published()); got != 0 {
		t.Errorf("an event without an id: got it %d times, want it nowhere", got)
	}
}

// Ensure that Close ends the running delivery, and that nothing is delivered afterwards.
func TestBus_Close(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &Bus{}
		fails := listen(b, func(verification.Event, int) error { return errors.New("cannot be recorded") })
		hung := 0
		b.Subscribe(func(ctx context.Context, _ verification.Event) error {
			hung++
			<-ctx.Done()
			return ctx.Err()
		})
		publish(t, b, "first", "second")
		synctest.Wait()

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := b.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Wait for a delivery that hangs: got error %v, want the context's", err)
		}
		got := fails.ids()
		publish(t, b, "third")
		b.Close()
		b.Close()
		wait(t, b)
		time.Sleep(time.Hour) // of the bubble: a delivery that was put off would come now
		if hung != 1 {
			t.Errorf("the subscriber that hung got %d events, want the first alone", hung)
		}
		if after := strings.TrimPrefix(fails.ids(), got); after != "" && after != " third" {
			t.Errorf("deliveries after Close: got %s, want none", after)
		}
		err := b.Publish(t.Context(), event("fourth"))
		if e, ok := errors.AsType[*verification.Error](err); !ok || e.Code != verification.CodeBackendUnavailable {
			t.Errorf("Publish after Close: got %v, want backend_unavailable", err)
		}
	})
}

// Ensure that the memory of a bus is bounded.
func TestBus_keepsLatest(t *testing.T) {
	t.Parallel()
	b := &Bus{}
	for n := range maxKept + 5 {
		publish(t, b, fmt.Sprint(n))
	}
	if got := b.Published(); len(got) != maxKept || got[0].ID != "5" {
		t.Errorf("got %d events, want the latest %d", len(got), maxKept)
	}
}

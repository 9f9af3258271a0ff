package verificationtest

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"didit-sessions/internal/verification"
)

// Delivered returns the events that came out of a bus, as a subscriber reads them, once those that
// were published before the call have come.
type Delivered func(t *testing.T) []verification.Event

// TestBus checks all that [verification.Bus] promises. newBus makes a bus that listens, ready to use
// until its test ends; it may be called from several goroutines.
func TestBus(t *testing.T, newBus func(t *testing.T) (verification.Bus, Delivered)) {
	for name, test := range map[string]func(*testing.T, verification.Bus, Delivered){
		"round trip": busRoundTrip,
		"copies":     busCopies,
		"twice":      busTwice,
		"concurrent": busConcurrent,
		"context":    busContext,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bus, delivered := newBus(t)
			test(t, bus, delivered)
		})
	}
}

// newEvent is an event with all that can be known.
func newEvent(n int) verification.Event {
	approved, long := "Approved", strings.Repeat("W", 64)
	return verification.Event{
		ID: "event-" + strconv.Itoa(n), Recorded: true, SessionID: sessionID(n), VendorData: someone, WorkflowID: workflow,
		Status: verification.StatusInReview, OccurredAt: recent().Truncate(time.Second), Environment: "live",
		Checks: []verification.Check{{Feature: "ID_VERIFICATION", Status: &approved}, {Feature: "AML"}, {Feature: "FACE_MATCH", Status: &long}},
	}
}

// told is all that an event says.
func told(t *testing.T, e verification.Event) string {
	t.Helper()
	detail, err := verification.EncodeDetail(e)
	if err != nil {
		t.Fatalf("%v: %v", e, err)
	}
	return e.DetailType() + " " + string(detail)
}

func publish(t *testing.T, b verification.Bus, e verification.Event) {
	t.Helper()
	if err := b.Publish(t.Context(), e); err != nil {
		t.Fatalf("Publish %s: got error %v, want none", told(t, e), err)
	}
}

// wantDelivered checks that the events came at least once each, and no others.
func wantDelivered(t *testing.T, delivered Delivered, want ...verification.Event) {
	t.Helper()
	var got, wanted []string
	for _, e := range delivered(t) {
		got = append(got, told(t, e))
	}
	for _, e := range want {
		wanted = append(wanted, told(t, e))
		if !slices.Contains(got, told(t, e)) {
			t.Errorf("was not delivered: %s", told(t, e))
		}
	}
	for _, text := range got {
		if !slices.Contains(wanted, text) {
			t.Errorf("was delivered, and never published: %s", text)
		}
	}
}

func busRoundTrip(t *testing.T, b verification.Bus, delivered Delivered) {
	var want []verification.Event
	for n, change := range []func(*verification.Event){
		func(*verification.Event) {},
		func(e *verification.Event) { e.DataUpdated = true },
		func(e *verification.Event) { e.Recorded = false },
		func(e *verification.Event) { e.VendorData, e.WorkflowID, e.Environment, e.Checks = "", "", "", nil },
		func(e *verification.Event) { e.VendorData = "\u00e9\u4e16\U0001F600 \"<&>\" \\ \u2028\t" },
		func(e *verification.Event) { e.VendorData = strings.Repeat("\u4e16", 682) }, // the longest: 2,046 bytes
		func(e *verification.Event) { e.Checks = slices.Repeat(e.Checks, 100) },
		func(e *verification.Event) { e.OccurredAt = time.Date(2021, 1, 2, 3, 4, 5, 0, time.UTC) },
	} {
		e := newEvent(n)
		change(&e)
		publish(t, b, e)
		want = append(want, e)
	}
	wantDelivered(t, delivered, want...)
}

// Ensure that a bus keeps nothing of what its caller goes on to change.
func busCopies(t *testing.T, b verification.Bus, delivered Delivered) {
	e, want := newEvent(1), newEvent(1)
	want.OccurredAt = e.OccurredAt
	publish(t, b, e)
	*e.Checks[0].Status, e.Checks[1].Feature = "Declined", "CHANGED"
	wantDelivered(t, delivered, want)
}

func busTwice(t *testing.T, b verification.Bus, delivered Delivered) {
	e := newEvent(1)
	publish(t, b, e)
	publish(t, b, e)
	wantDelivered(t, delivered, e)
}

func busConcurrent(t *testing.T, b verification.Bus, delivered Delivered) {
	var all sync.WaitGroup
	want := make([]verification.Event, 30)
	for n := range want {
		want[n] = newEvent(n)
		all.Go(func() {
			if err := b.Publish(t.Context(), want[n]); err != nil {
				t.Errorf("Publish at the same time as others: got error %v, want none", err)
			}
		})
	}
	all.Wait()
	wantDelivered(t, delivered, want...)
}

func busContext(t *testing.T, b verification.Bus, delivered Delivered) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantUnavailable(t, "Publish", b.Publish(ctx, newEvent(1)))
	wantDelivered(t, delivered)
}

// wantUnavailable checks the error of a call whose time was over before it began.
func wantUnavailable(t *testing.T, call string, err error) {
	t.Helper()
	if e, ok := errors.AsType[*verification.Error](err); !ok || e.Code != verification.CodeBackendUnavailable {
		t.Errorf("%s with a context that is over: got %v (%T), want a *verification.Error, backend_unavailable", call, err, err)
	}
}

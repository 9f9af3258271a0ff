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

// Delivered returns the events that a subscriber of a bus got, once those that were published
// before the call have arrived.
type Delivered func(t *testing.T) []verification.Event

// TestBus tests what [verification.Bus] promises. newBus returns a bus with a subscriber for one
// test; it may be called concurrently.
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

// newEvent returns an event with a value in every field.
func newEvent(n int) verification.Event {
	approved, long := "Approved", strings.Repeat("W", 64)
	return verification.Event{
		ID: "event-" + strconv.Itoa(n), Recorded: true, SessionID: sessionID(n), VendorData: owner, WorkflowID: workflow,
		Status: verification.StatusInReview, OccurredAt: recent().Truncate(time.Second), SentAt: recent().Truncate(time.Second).Add(time.Minute), Environment: "live",
		Checks: []verification.Check{{Feature: "ID_VERIFICATION", Status: &approved}, {Feature: "AML"}, {Feature: "FACE_MATCH", Status: &long}},
	}
}

// eventText returns all of an event, which prints redacted.
func eventText(t *testing.T, e verification.Event) string {
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
		t.Fatalf("Publish %s: got error %v, want none", eventText(t, e), err)
	}
}

// wantDelivered requires each of the events at least once, and no others.
func wantDelivered(t *testing.T, delivered Delivered, want ...verification.Event) {
	t.Helper()
	var got, wanted []string
	for _, e := range delivered(t) {
		got = append(got, eventText(t, e))
	}
	for _, e := range want {
		wanted = append(wanted, eventText(t, e))
		if !slices.Contains(got, eventText(t, e)) {
			t.Errorf("not delivered: %s", eventText(t, e))
		}
	}
	for _, text := range got {
		if !slices.Contains(wanted, text) {
			t.Errorf("delivered, but never published: %s", text)
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
		func(e *verification.Event) { e.VendorData = strings.Repeat("\u4e16", 682) }, // the maxToken: 2,046 bytes
		func(e *verification.Event) {
			*e = verification.Event{ID: e.ID, UserErased: true, VendorData: "user <&> é", OccurredAt: e.OccurredAt, SentAt: e.OccurredAt}
		},
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

// Ensure that a bus shares no memory with its caller.
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

// wantUnavailable checks the error of a call whose context was done before it began.
func wantUnavailable(t *testing.T, call string, err error) {
	t.Helper()
	if e, ok := errors.AsType[*verification.Error](err); !ok || e.Code != verification.CodeBackendUnavailable {
		t.Errorf("%s with a context that is done: got %v (%T), want a *verification.Error, backend_unavailable", call, err, err)
	}
}

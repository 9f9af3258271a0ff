package main

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"didit-sessions/internal/functiontest"
)

const (
	deliveries = 100
	realSize   = 40 << 10 // of a body with all features
)

// Ensure that one process takes many deliveries in a row and loses none, with one read of the table for
// each and no write, and one read of the secret for all. How much memory that takes is make bench's to
// say.
func TestManyDeliveries(t *testing.T) {
	t.Parallel()
	w := functiontest.New(t, functiontest.Options{})
	w.Add(t, functiontest.Record(sessionID, "user-123", "Not Started", 0))
	writes := w.Writes()
	body := padded(fresh(t, "http-approved"), realSize)
	for i := range deliveries {
		own := strings.Replace(body, eventID, fmt.Sprintf("event-%d", i), 1)
		wantAnswer(t, w.HTTP(t, deliver(t, signed(own, functiontest.WebhookSecret), own)), 200, "")
	}
	_, details := w.Published(t)
	if len(details) != deliveries {
		t.Fatalf("%d events were published, want %d", len(details), deliveries)
	}
	for i, d := range details {
		if want := fmt.Sprintf("event-%d", i); d.EventID != want {
			t.Errorf("got %s, want %s", d.EventID, want)
		}
	}
	if got := w.Table.Calls("GetItem"); got != deliveries || w.Writes() != writes || w.Bus.Calls() != deliveries {
		t.Errorf("got %d reads and %d writes of the table and %d requests to the bus, want %d, 0 and %d",
			got, w.Writes()-writes, w.Bus.Calls(), deliveries, deliveries)
	}
	if got := w.Secrets.Calls(); got != 2 {
		t.Errorf("got %d requests for the secret, want 2: one read of two versions", got)
	}
}

// Ensure that many at once in one cold process share one read of the secret, and that none is lost.
func TestConcurrentDeliveries(t *testing.T) {
	t.Parallel()
	const senders = 10 // more would meet the limits of a delivery on a busy machine
	w := functiontest.New(t, functiontest.Options{MaxConcurrency: senders})
	body := fresh(t, "http-approved")
	payload := deliver(t, signed(body, functiontest.WebhookSecret), body)
	var sending sync.WaitGroup
	for range senders {
		sending.Go(func() {
			r, err := w.Invoke(t.Context(), payload)
			if err != nil {
				t.Error(err)
			} else if a, err := r.HTTP(); err != nil || a.Status != 200 {
				t.Errorf("got %d %s, %v", a.Status, a.Body, err)
			}
		})
	}
	sending.Wait()
	if got := len(w.Bus.Events()); got != senders || w.Secrets.Calls() != 2 {
		t.Errorf("got %d events and %d requests for the secret, want %d and 2", got, w.Secrets.Calls(), senders)
	}
}

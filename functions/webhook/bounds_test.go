package main

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"didit-sessions/internal/lambdatest"
	"didit-sessions/internal/stage"
	"didit-sessions/internal/stage/stagetest"
)

const (
	deliveries = 100
	realSize   = 40 << 10 // of a body with all features
)

// Ensure that one process accepts many deliveries in a row and loses none, with one read and no
// write of the table for each, and one read of the secret for all. make bench measures the memory.
func TestManyDeliveries(t *testing.T) {
	t.Parallel()
	w := stagetest.New(t, lambdatest.Options{})
	w.Add(t, stagetest.Record(sessionID, "user-123", "Not Started", 0))
	writes := w.Writes()
	body := padded(fresh(t, "http-approved"), realSize)
	for i := range deliveries {
		own := strings.Replace(body, eventID, fmt.Sprintf("event-%d", i), 1)
		wantAnswer(t, w.HTTP(t, deliver(t, signed(own, stage.WebhookSecret), own)), 200, "")
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
	if got := w.Table.Calls("GetItem"); got != deliveries || w.Writes() != writes || w.Bus.Calls("") != deliveries {
		t.Errorf("got %d reads and %d writes of the table and %d requests to the bus, want %d, 0 and %d",
			got, w.Writes()-writes, w.Bus.Calls(""), deliveries, deliveries)
	}
	if got := w.Secrets.Calls(""); got != 2 {
		t.Errorf("got %d requests for the secret, want 2: one read of two versions", got)
	}
}

// Ensure that concurrent deliveries in a cold process share one read of the secret, and that none
// is lost.
func TestConcurrentDeliveries(t *testing.T) {
	t.Parallel()
	const senders = 10 // more would meet the limits of a delivery on a busy machine
	w := stagetest.New(t, lambdatest.Options{MaxConcurrency: senders})
	body := fresh(t, "http-approved")
	payload := deliver(t, signed(body, stage.WebhookSecret), body)
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
	if got := len(w.Bus.Events()); got != senders || w.Secrets.Calls("") != 2 {
		t.Errorf("got %d events and %d requests for the secret, want %d and 2", got, w.Secrets.Calls(""), senders)
	}
}

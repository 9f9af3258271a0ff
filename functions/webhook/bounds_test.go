package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
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
	w := stagetest.NewUnprepared(t, lambdatest.Options{})
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
// is lost. On a busy machine a delivery may meet a limit of the function, which then answers 503,
// and is delivered again, as Didit does.
func TestConcurrentDeliveries(t *testing.T) {
	t.Parallel()
	const senders = 5
	w := stagetest.NewUnprepared(t, lambdatest.Options{MaxConcurrency: senders, Env: stagetest.OneAttempt})
	refused := 0
	for left, rounds := senders, 0; left > 0; rounds++ {
		if rounds == 20 {
			t.Fatalf("%d deliveries are refused in each of %d rounds", left, rounds)
		}
		left = deliverAll(t, w, left)
		refused += left
	}
	events, reads := len(w.Bus.Events()), w.Secrets.Calls("")
	if events < senders || events > senders+refused {
		t.Errorf("got %d events of %d deliveries, %d of them delivered again", events, senders, refused)
	}
	if reads < 2 || reads > 2*(1+refused) {
		t.Errorf("got %d requests for the secret, want 2 for one read of both versions, and at most 2 more for each of %d refusals", reads, refused)
	}
}

// deliverAll sends n deliveries at once, and returns how many got 503.
func deliverAll(t *testing.T, w *stagetest.World, n int) int {
	t.Helper()
	body := fresh(t, "http-approved")
	payload := deliver(t, signed(body, stage.WebhookSecret), body)
	var refused atomic.Int32
	var sending sync.WaitGroup
	for range n {
		sending.Go(func() {
			r, err := w.Invoke(t.Context(), payload)
			if err != nil {
				t.Error(err)
			} else if a, err := r.HTTP(); a.Status == http.StatusServiceUnavailable {
				refused.Add(1)
			} else if err != nil || a.Status != http.StatusOK {
				t.Errorf("got %d %s, %v", a.Status, a.Body, err)
			}
		})
	}
	sending.Wait()
	return int(refused.Load())
}

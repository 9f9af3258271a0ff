package main

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"didit-sessions/internal/verification"
)

func event(change func(*verification.Event)) verification.Event {
	e := verification.Event{ID: "e-1", Recorded: true, SessionID: "11111111-2222-3333-4444-555555555555", VendorData: "u-1",
		Status: "Approved", OccurredAt: time.Unix(1_800_000_000, 0)}
	if change != nil {
		change(&e)
	}
	return e
}

// target keeps what a rule invoked it with, and fails as often as failures says.
type target struct {
	mu       sync.Mutex
	payloads []string
	failures int
}

func (f *target) Invoke(_ context.Context, payload []byte) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.payloads = append(f.payloads, string(payload))
	if f.failures > 0 {
		f.failures--
		return nil, errors.New("x")
	}
	return []byte("{}"), nil
}

// Ensure that the function gets events of a status alone, in EventBridge's form, and again where it
// failed.
func TestBackend_follow(t *testing.T) {
	t.Parallel()
	f := &target{failures: 1}
	synctest.Test(t, func(t *testing.T) {
		var b backend
		b.follow(f)
		for _, e := range []verification.Event{
			event(nil),
			event(func(e *verification.Event) { e.DataUpdated = true }),
			event(func(e *verification.Event) { e.Recorded = false }),
		} {
			if err := b.bus.Publish(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.bus.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.bus.Close()
	})
	if len(f.payloads) != 2 || f.payloads[0] != f.payloads[1] {
		t.Fatalf("got %q, want one event twice", f.payloads)
	}
	var p struct {
		Version, ID, Source, Account, Region string
		Time                                 time.Time
		DetailType                           string `json:"detail-type"`
		Resources                            []string
		Detail                               struct {
			SessionID string `json:"session_id"`
			Status    string
		}
	}
	if err := json.Unmarshal([]byte(f.payloads[0]), &p); err != nil {
		t.Fatal(err)
	}
	if p.Version != "0" || p.ID == "" || p.Source != "didit.sessions" || p.Account == "" || p.Region == "" || p.Time.IsZero() || p.Resources == nil ||
		p.DetailType != "Verification Session Status Updated" || p.Detail.SessionID != event(nil).SessionID || p.Detail.Status != "Approved" {
		t.Errorf("got %s", f.payloads[0])
	}
}

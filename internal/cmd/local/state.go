package main

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"didit-sessions/internal/didit/didittest"
)

const (
	// maxShown is how many events, deliveries and executions the page shows.
	maxShown = 10
	// maxLocalBody is the largest body of the page's own requests, 4 KiB.
	maxLocalBody = 4 << 10
)

// state is what the page shows beside the answers of the API, newest first. It holds only ids and
// statuses.
type state struct {
	Events         []shownEvent         `json:"events"`     // on the bus
	Deliveries     []didittest.Delivery `json:"deliveries"` // webhooks, attempt by attempt
	Executions     []execution          `json:"executions"` // of the workflow
	WebhooksLost   bool                 `json:"webhooks_lost"`
	ReconcileAfter float64              `json:"reconcile_after"` // seconds
}

// shownEvent is an event on the bus.
type shownEvent struct {
	EventID    string    `json:"event_id"`
	DetailType string    `json:"detail_type"`
	SessionID  string    `json:"session_id"`
	Status     string    `json:"status"`
	OccurredAt time.Time `json:"occurred_at"`
	Read       bool      `json:"read"` // read from Didit instead of received as a webhook
}

func (s *system) state() state {
	now := state{
		Events: []shownEvent{}, Deliveries: newest(s.simulator.Deliveries()),
		Executions: s.workflows.latest(maxShown), WebhooksLost: s.webhooksLost(),
		ReconcileAfter: s.settings.reconcile.After.Seconds(),
	}
	for _, e := range newest(s.bus.Published()) {
		// The domain gives such ids to events that it read from Didit.
		isRead := strings.HasPrefix(e.ID, "read:")
		now.Events = append(now.Events, shownEvent{e.ID, e.DetailType(), e.SessionID, e.Status, e.OccurredAt, isRead})
	}
	return now
}

// newest returns the last items of a list, the newest first.
func newest[T any](list []T) []T {
	list = append([]T{}, list[max(0, len(list)-maxShown):]...)
	slices.Reverse(list)
	return list
}

func (s *system) serveState(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, s.state())
}

// serveWorkflow starts the workflow for {"user_id"}.
func (s *system) serveWorkflow(w http.ResponseWriter, r *http.Request) {
	var input struct {
		UserID string `json:"user_id"`
	}
	if !readLocal(w, r, &input) {
		return
	}
	if strings.TrimSpace(input.UserID) == "" {
		message(w, http.StatusBadRequest, "user_id is required")
		return
	}
	writeJSON(w, http.StatusCreated, s.workflows.start(s.ctx, input.UserID))
}

// serveWebhooks makes webhooks get lost, or be delivered again, as {"lost"} says.
func (s *system) serveWebhooks(w http.ResponseWriter, r *http.Request) {
	var input struct {
		Lost *bool `json:"lost"`
	}
	if !readLocal(w, r, &input) {
		return
	}
	if input.Lost == nil {
		message(w, http.StatusBadRequest, "lost is required: true or false")
		return
	}
	s.loseWebhooks(*input.Lost)
	writeJSON(w, http.StatusOK, map[string]bool{"lost": *input.Lost})
}

func (s *system) loseWebhooks(lost bool) {
	s.lostMu.Lock()
	defer s.lostMu.Unlock()
	s.lost = lost
	s.simulator.ClearQuirks()
	if lost {
		s.simulator.Misdeliver(didittest.SendNever, 0)
	}
}

func (s *system) webhooksLost() bool {
	s.lostMu.Lock()
	defer s.lostMu.Unlock()
	return s.lost
}

// readLocal decodes a request of the page, and reports whether it could; it has answered the
// request otherwise. It requires the JSON media type, which a page of another origin cannot send
// without a preflight.
func readLocal(w http.ResponseWriter, r *http.Request, into any) bool {
	if media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); media != "application/json" {
		message(w, http.StatusUnsupportedMediaType, "Content-Type must be application/json")
		return false
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxLocalBody))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		message(w, http.StatusRequestEntityTooLarge, "the body is longer than 4 KiB")
		return false
	}
	if err != nil || json.Unmarshal(body, into) != nil {
		message(w, http.StatusBadRequest, "the body is not the JSON that this path expects")
		return false
	}
	return true
}

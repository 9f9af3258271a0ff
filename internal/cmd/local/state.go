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
	"didit-sessions/internal/verification"
)

const (
	// mostShown is how many events, deliveries and executions the page shows.
	mostShown = 10
	// localLimit is the longest body of the page's own requests, 4 KiB.
	localLimit = 4 << 10
)

// state is what the page shows beside the answers of the API, newest first: ids and statuses alone.
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
	Read       bool      `json:"read"` // learnt by asking Didit, and not by a webhook
}

func (s *system) state() state {
	now := state{
		Events: []shownEvent{}, Deliveries: newest(s.simulator.Deliveries()), Executions: s.workflows.latest(mostShown),
		WebhooksLost: s.webhooksLost(), ReconcileAfter: s.settings.reconcile.After.Seconds(),
	}
	for _, e := range newest(s.bus.Published()) {
		now.Events = append(now.Events, shownEvent{e.ID, e.DetailType(), e.SessionID, e.Status, e.OccurredAt, isRead(e)})
	}
	return now
}

// isRead goes by the form of the ids that the backend gives to what it read.
func isRead(e verification.Event) bool { return strings.HasPrefix(e.ID, "read:") }

// newest returns the last of a list, the newest first.
func newest[T any](list []T) []T {
	list = append([]T{}, list[max(0, len(list)-mostShown):]...)
	slices.Reverse(list)
	return list
}

func (s *system) serveState(w http.ResponseWriter, _ *http.Request) {
	answerJSON(w, http.StatusOK, s.state())
}

// serveWorkflow executes the workflow for {"user_id"}.
func (s *system) serveWorkflow(w http.ResponseWriter, r *http.Request) {
	var input struct {
		UserID string `json:"user_id"`
	}
	if status, text := readLocal(w, r, &input); status != 0 {
		message(w, status, text)
		return
	}
	if strings.TrimSpace(input.UserID) == "" {
		message(w, http.StatusBadRequest, "user_id is required")
		return
	}
	answerJSON(w, http.StatusCreated, s.workflows.start(s.ctx, input.UserID))
}

// serveWebhooks has webhooks lost or delivered: {"lost"}.
func (s *system) serveWebhooks(w http.ResponseWriter, r *http.Request) {
	var input struct {
		Lost *bool `json:"lost"`
	}
	if status, text := readLocal(w, r, &input); status != 0 {
		message(w, status, text)
		return
	}
	if input.Lost == nil {
		message(w, http.StatusBadRequest, "lost is required: true or false")
		return
	}
	s.loseWebhooks(*input.Lost)
	answerJSON(w, http.StatusOK, map[string]bool{"lost": *input.Lost})
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

// readLocal reads a request of the page, or says with which status and words to refuse it. The media
// type keeps pages of other origins out, which may not send it unasked.
func readLocal(w http.ResponseWriter, r *http.Request, into any) (status int, text string) {
	if media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); media != "application/json" {
		return http.StatusUnsupportedMediaType, "Content-Type must be application/json"
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, localLimit))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return http.StatusRequestEntityTooLarge, "the body is longer than 4 KiB"
	}
	if err != nil || json.Unmarshal(body, into) != nil {
		return http.StatusBadRequest, "the body is not the JSON that is expected here"
	}
	return 0, ""
}

func answerJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

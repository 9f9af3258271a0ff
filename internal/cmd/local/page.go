package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"

	"didit-sessions/internal/awsfake"
	"didit-sessions/internal/didit/didittest"
)

//go:embed page.html
var pageHTML []byte

// pagePolicy lets the page run its own script and call this origin, and nothing else.
const pagePolicy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'"

// page serves the page at /, and what it needs beside the API under /local/. The gateway gets every
// other request, its path unchanged.
func (s *system) page(gateway http.Handler) http.Handler {
	html := pageHTML
	if s.iam {
		html = bytes.Replace(html, []byte(`data-caller-auth="jwt"`), []byte(`data-caller-auth="iam"`), 1)
	}
	local := http.NewServeMux()
	local.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", pagePolicy)
		_, _ = w.Write(html)
	})
	local.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	})
	for pattern, work := range map[string]func(*http.Request) awsfake.HTTPAnswer{
		"GET /local/state":      func(*http.Request) awsfake.HTTPAnswer { return jsonAnswer(http.StatusOK, s.state()) },
		"POST /local/workflows": withBody(s.startWorkflow),
		"POST /local/webhooks":  withBody(s.setWebhooks),
		"POST /local/erase":     withBody(s.eraseUser),
	} {
		local.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { send(w, work(r)) })
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		read := r.Method == http.MethodGet || r.Method == http.MethodHead
		if strings.HasPrefix(r.URL.Path, "/local/") || read && (r.URL.Path == "/" || r.URL.Path == "/favicon.ico") {
			w.Header().Set("Cache-Control", "no-store")
			local.ServeHTTP(w, r)
			return
		}
		gateway.ServeHTTP(w, r)
	})
}

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
		ReconcileAfter: s.settings.reconcile.Table.ReconcileAfter.Seconds(),
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

// startWorkflow starts the workflow for a user.
func (s *system) startWorkflow(input struct {
	UserID string `json:"user_id"`
}) awsfake.HTTPAnswer {
	if strings.TrimSpace(input.UserID) == "" {
		return message(http.StatusBadRequest, "user_id is required")
	}
	return jsonAnswer(http.StatusCreated, s.workflows.start(s.ctx, input.UserID))
}

// eraseUser invokes eraseuser, as a trusted caller does on AWS, and returns what that caller gets.
func (s *system) eraseUser(payload json.RawMessage) awsfake.HTTPAnswer {
	answer, err := s.functions.erase.Invoke(s.ctx, payload)
	if failure, ok := errors.AsType[messages.InvokeResponse_Error](err); ok {
		return jsonAnswer(http.StatusBadGateway, map[string]string{"errorType": failure.Type, "errorMessage": failure.Message})
	}
	if err != nil {
		return message(http.StatusBadGateway, "the function failed")
	}
	return jsonAnswer(http.StatusOK, json.RawMessage(answer))
}

// setWebhooks makes webhooks get lost, or be delivered again.
func (s *system) setWebhooks(input struct {
	Lost *bool `json:"lost"`
}) awsfake.HTTPAnswer {
	if input.Lost == nil {
		return message(http.StatusBadRequest, "lost is required: true or false")
	}
	s.loseWebhooks(*input.Lost)
	return jsonAnswer(http.StatusOK, input)
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

// withBody returns the work of a request whose body is a T in JSON. It requires the JSON media
// type, which a page of another origin cannot send without a preflight.
func withBody[T any](work func(T) awsfake.HTTPAnswer) func(*http.Request) awsfake.HTTPAnswer {
	return func(r *http.Request) awsfake.HTTPAnswer {
		if media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); media != "application/json" {
			return message(http.StatusUnsupportedMediaType, "Content-Type must be application/json")
		}
		body, err := io.ReadAll(io.LimitReader(r.Body, maxLocalBody+1))
		if len(body) > maxLocalBody {
			return message(http.StatusRequestEntityTooLarge, "the body is longer than 4 KiB")
		}
		var input T
		if err != nil || json.Unmarshal(body, &input) != nil {
			return message(http.StatusBadRequest, "the body is not the JSON that this path expects")
		}
		return work(input)
	}
}

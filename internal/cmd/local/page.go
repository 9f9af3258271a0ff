package main

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"

	"didit-sessions/internal/awsfake"
	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/verification"
)

// The page is one document; its style and its script are files of their own for those who edit it.
var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageCSS string
	//go:embed page.js
	pageJS string
	//go:embed page_didit.js
	pageDiditJS string
)

// pagePolicy lets the page run its own script and style, which have the nonce, show QR codes and
// call this origin, and nothing else.
const pagePolicy = "default-src 'none'; style-src 'nonce-NONCE'; script-src 'nonce-NONCE'; img-src data:; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// page serves the page at /, and what it needs beside the API under /local/. The gateway gets every
// other request, its path unchanged.
func (s *system) page(gateway http.Handler) http.Handler {
	local := http.NewServeMux()
	local.HandleFunc("GET /{$}", s.sendPage)
	local.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	})
	for pattern, work := range map[string]func(*http.Request) awsfake.HTTPAnswer{
		"GET /local/state":      s.awaitState,
		"POST /local/workflows": withBody(s.startWorkflow),
		"POST /local/erase":     withBody(s.eraseUser),
		"POST /local/clock":     withBody(s.setClock),
	} {
		local.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { send(w, work(r)) })
	}
	// The simulator's control API, on the origin that the page may call.
	local.Handle("/local/simulator/", http.StripPrefix("/local", s.simulator))
	s.handleDeployment(local)
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

func (s *system) sendPage(w http.ResponseWriter, _ *http.Request) {
	nonce, callerAuth := rand.Text(), "jwt"
	if s.iam {
		callerAuth = "iam"
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", strings.ReplaceAll(pagePolicy, "NONCE", nonce))
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Referrer-Policy", "no-referrer")
	_, _ = strings.NewReplacer("NONCE", nonce, "CALLER_AUTH", callerAuth, "SIMULATOR_URL", s.simulatorURL,
		"/* page.css */", pageCSS, "/* page.js */", pageJS, "/* page_didit.js */", pageDiditJS).WriteString(w, pageHTML)
}

const (
	// maxShown is how many sessions the page shows.
	maxShown = 50
	// maxLocalBody is the largest body of the page's own requests, 4 KiB.
	maxLocalBody = 4 << 10
	// maxStateWait is how long a request for the state waits for news. What is no hop, such as an
	// armed fault, shows up after that.
	maxStateWait = time.Second
	// maxForward is how far the clock is set forward at once.
	maxForward = 31 * 24 * time.Hour
)

// state is what the page shows beside the answers of the API: ids, statuses and redacted hops.
type state struct {
	Run            string         `json:"run"`     // differs after a restart
	Version        int64          `json:"version"` // of the timeline
	Now            time.Time      `json:"now"`     // by the system's clock
	Hops           []hop          `json:"hops"`    // that changed since the version in the request, oldest first
	Sessions       []shownSession `json:"sessions"`
	Total          int            `json:"total"`           // sessions, shown or not
	Workflow       string         `json:"workflow"`        // the default; "" if there is none
	ReconcileAfter float64        `json:"reconcile_after"` // seconds
	Armed          any            `json:"armed"`           // as on the simulator's console
	PrincipalClaim string         `json:"principal_claim"` // the claim of a token that names the user
	Issuer         string         `json:"issuer"`          // that a token must name; "" if every word is one
	Audiences      []string       `json:"audiences"`       // of which a token must name one
	RealAccount    bool           `json:"real_account"`    // at Didit: the simulator is not used
}

// shownSession is a session at Didit and, if it is on record, in the table.
type shownSession struct {
	didittest.Session
	AtDidit   string               `json:"at_didit"` // its status there
	Recorded  bool                 `json:"recorded"`
	Status    string               `json:"status"` // on record
	Next      verification.Next    `json:"next"`
	Final     bool                 `json:"final"`
	Checks    []verification.Check `json:"checks"`
	UpdatedAt *time.Time           `json:"updated_at"`
	DueFrom   *time.Time           `json:"due_from"` // when reconcile asks Didit; nil: never
	Doubtful  bool                 `json:"doubtful"` // two events contradict each other
	Tasks     int                  `json:"tasks"`    // that wait
	Event     string               `json:"event"`    // id of the last event that Didit had for it
}

// awaitState returns the state as soon as the timeline has another version than the query's after,
// and at the latest after maxStateWait; without after, at once.
func (s *system) awaitState(r *http.Request) awsfake.HTTPAnswer {
	after, err := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64)
	if err == nil && r.URL.Query().Get("run") == runID {
		ctx, cancel := context.WithTimeout(r.Context(), maxStateWait)
		defer cancel()
		defer context.AfterFunc(s.ctx, cancel)()
		s.watch.timeline.wait(ctx, after)
	} else {
		after = 0
	}
	return jsonAnswer(http.StatusOK, s.state(r.Context(), after))
}

func (s *system) state(ctx context.Context, after int64) state {
	now := state{
		Run: runID, Now: s.clock.now(), Sessions: []shownSession{},
		ReconcileAfter: s.settings.reconcile.Table.ReconcileAfter.Seconds(), Armed: s.simulator.Armed(),
		RealAccount: s.account.isReal(), PrincipalClaim: s.settings.create.Callers.PrincipalClaim,
		Issuer: s.settings.edge.issuer, Audiences: s.settings.edge.audiences,
	}
	if p := s.settings.create.Policy; !p.AnyWorkflow {
		now.Workflow = p.WorkflowIDs[0]
	}
	now.Hops, now.Version = s.watch.timeline.since(after)
	events := map[string]string{}
	for _, d := range s.simulator.Deliveries() {
		events[d.SessionID] = d.EventID
	}
	sessions := s.simulator.Sessions()
	if now.RealAccount {
		for _, id := range s.watch.recorded() {
			sessions = append(sessions, didittest.Session{ID: id})
		}
	}
	now.Total = len(sessions)
	for _, v := range slices.Backward(sessions[max(0, len(sessions)-maxShown):]) {
		now.Sessions = append(now.Sessions, s.show(ctx, v, events[v.ID]))
	}
	return now
}

func (s *system) show(ctx context.Context, v didittest.Session, event string) shownSession {
	v.Request = nil // what the app said about a person
	shown := shownSession{Session: v, AtDidit: v.Status, Checks: []verification.Check{}, Event: event}
	if v.Deleted {
		shown.AtDidit, shown.VendorData = "Deleted", ""
	}
	r, found, err := s.store.Record(ctx, v.ID)
	if err != nil || !found || r.Erased {
		return shown
	}
	if s.account.isReal() {
		shown.VendorData, shown.WorkflowID, shown.Created, shown.AtDidit = r.VendorData, r.WorkflowID, r.CreatedAt, r.Status
	}
	shown.Recorded, shown.Status, shown.Next, shown.Final = true, r.Status, r.Next(), r.Final()
	shown.Checks = append(shown.Checks, r.Checks...)
	shown.UpdatedAt, shown.DueFrom = optional(r.StatusAt), optional(r.DueFrom)
	shown.Doubtful = !r.DoubtAt.IsZero()
	tokens, _ := s.store.Tokens(ctx, v.ID)
	shown.Tasks = len(tokens)
	return shown
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

// setClock sets the clock forward, so that a developer need not wait for what happens after a time.
func (s *system) setClock(input struct {
	Seconds float64 `json:"forward_seconds"`
}) awsfake.HTTPAnswer {
	if input.Seconds <= 0 || input.Seconds > maxForward.Seconds() {
		return message(http.StatusBadRequest, "forward_seconds must be more than 0 and at most 31 days")
	}
	s.clock.forward(time.Duration(input.Seconds * float64(time.Second)))
	return jsonAnswer(http.StatusOK, map[string]time.Time{"now": s.clock.now()})
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

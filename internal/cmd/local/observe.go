package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"didit-sessions/internal/awsfake"
	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/memory"
	"didit-sessions/internal/verification"
)

// observer adds what it sees to a timeline. It is safe for concurrent use.
type observer struct {
	timeline timeline
	now      func() time.Time
	mu       sync.Mutex
	latest   []string // ids of the latest sessions on record, oldest first; guarded by mu
}

// recorded returns the ids of the latest sessions on record, at most maxShown, oldest first.
func (o *observer) recorded() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.latest)
}

// record remembers a session on record.
func (o *observer) record(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if slices.Contains(o.latest, id) {
		return
	}
	o.latest = append(o.latest, id)
	o.latest = o.latest[max(0, len(o.latest)-maxShown):]
}

// head keeps the beginning of what is written to it, enough to tell that a body is too large.
type head struct{ bytes.Buffer }

func (h *head) Write(p []byte) (int, error) {
	_, _ = h.Buffer.Write(p[:min(len(p), maxShownBody+1-h.Len())])
	return len(p), nil
}

// answering keeps what a handler answers.
type answering struct {
	http.ResponseWriter
	status int
	body   head
}

// Unwrap lets a handler flush, and take over the connection.
func (a *answering) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answering) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

func (a *answering) Write(p []byte) (int, error) {
	a.status = cmp.Or(a.status, http.StatusOK)
	_, _ = a.body.Write(p)
	return a.ResponseWriter.Write(p)
}

// reading is a request body of which the beginning is kept.
type reading struct {
	io.Reader
	io.Closer
}

// requests returns a handler that adds a hop for each request of these prefixes, once it is
// answered.
func (o *observer) requests(kind string, next http.Handler, prefixes ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		observed := len(prefixes) == 0
		for _, prefix := range prefixes {
			observed = observed || strings.HasPrefix(r.URL.Path, prefix)
		}
		if !observed {
			next.ServeHTTP(w, r)
			return
		}
		start, sent, answer := time.Now(), new(head), &answering{ResponseWriter: w}
		r.Body = reading{io.TeeReader(r.Body, sent), r.Body}
		path := redactPath(r.URL.RequestURI())
		defer func() { // also where a fault ends the connection by a panic
			h := exchange(kind, r, path, sent.Bytes(), answer)
			h.At, h.Took = o.now(), float64(time.Since(start).Microseconds())/1000
			o.timeline.add(h)
		}()
		next.ServeHTTP(answer, r)
	})
}

var sessionInPath = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// exchange returns the hop of a request. It is about the session that its answer, or else the
// request, names.
func exchange(kind string, r *http.Request, path string, sent []byte, answer *answering) hop {
	var session struct {
		ID     string `json:"session_id"`
		Type   string `json:"webhook_type"`
		Status any    `json:"status"`
	}
	title := r.Method + " " + path
	_ = json.Unmarshal(answer.body.Bytes(), &session)
	if session.ID == "" {
		_ = json.Unmarshal(sent, &session)
	}
	if status, ok := session.Status.(string); ok && session.Type != "" {
		kind, title = "webhook", session.Type+": "+status
	} else if r.URL.Path == "/webhooks/didit" {
		kind, title = "webhook", "a request to "+path
	}
	if verification.ValidUUID(session.ID) {
		session.ID = strings.ToLower(session.ID)
	} else {
		session.ID = sessionInPath.FindString(path)
	}
	header := r.Header.Clone()
	header.Set("Host", r.Host)
	return hop{
		Kind: kind, SessionID: session.ID, Title: title, Result: resultOf(answer.status), Tone: toneOf(answer.status),
		Note: noteOf(r, answer),
		Parts: []part{
			{r.Method + " " + path, redactHeaders(header), redactBody(r.Header.Get("Content-Type"), sent)},
			{"Answer: " + resultOf(answer.status), redactHeaders(answer.Header()), redactBody(answer.Header().Get("Content-Type"), answer.body.Bytes())},
		},
	}
}

// noteOf names the code of a problem, and says that a session is not new.
func noteOf(r *http.Request, answer *answering) string {
	var problem struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	_ = json.Unmarshal(answer.body.Bytes(), &problem)
	switch {
	case answer.status >= 400:
		return cmp.Or(problem.Code, problem.Message)
	case r.Method == http.MethodPost && r.URL.Path == "/sessions" && answer.status == http.StatusOK:
		return "already on record: the same session again"
	}
	return ""
}

// delivery adds the deliveries that the gateway does not see.
func (o *observer) delivery(d didittest.Delivery) {
	if d.Status != 0 {
		return
	}
	h := hop{Kind: "webhook", SessionID: d.SessionID, Title: d.Type + ": " + d.SessionStatus, Result: d.Problem, Tone: "bad", At: o.now()}
	if d.Attempt == 0 {
		h.Result, h.Note = "lost", "Didit sent it, and it never arrived"
	}
	o.timeline.add(h)
}

// event adds an event on the bus, in EventBridge's envelope.
func (o *observer) event(_ context.Context, e verification.Event) error {
	detail, err := verification.EncodeDetail(e)
	if err != nil {
		return err
	}
	event := awsfake.BusEvent{ID: e.ID, Source: verification.EventSource, DetailType: e.DetailType(), Detail: detail, Time: e.OccurredAt}
	h := hop{Kind: "event", SessionID: e.SessionID, Title: e.DetailType(), Result: e.Status, Tone: toneOfStatus(e.Status), At: o.now(),
		Parts: []part{{"Event", nil, redactBody("application/json", event.Payload())}}}
	switch {
	case e.UserErased:
		h.Result, h.Tone = "erased", "bad"
	case !e.Recorded:
		h.Tone, h.Note = "bad", "not on record: this backend did not create the session, do not trust it"
	case strings.HasPrefix(e.ID, "read:"): // the domain gives such ids to what it read
		h.Note = "read from Didit: no webhook brought it"
	}
	o.timeline.add(h)
	return nil
}

// toneOfStatus returns the tone of a session's status.
func toneOfStatus(status string) string {
	return map[verification.Next]string{
		verification.NextVerified: "good", verification.NextRejected: "bad", verification.NextRetry: "bad", verification.NextWait: "wait",
	}[verification.NextOf(status)]
}

// execution adds the state of a workflow.
func (o *observer) execution(x execution) {
	h := hop{Kind: "task", SessionID: x.SessionID, Title: x.Name, Result: x.State, Tone: "wait", At: o.now(),
		Parts: []part{{"Execution", nil, indent(x)}}}
	switch {
	case x.Output != nil:
		h.Result, h.Tone = x.Output.Outcome, map[string]string{"verified": "good", "rejected": "bad"}[x.Output.Outcome]
	case x.Error != "":
		h.Result, h.Tone, h.Note = "failed", "bad", x.Error
	default:
		h.Note = "on a task token, for the decision"
	}
	o.timeline.add(h)
}

// table adds a hop for each write of a record.
type table struct {
	*memory.Store
	*observer
}

func (t table) Add(ctx context.Context, r verification.Record) (was verification.Record, known bool, err error) {
	was, known, err = t.Store.Add(ctx, r)
	t.wrote(ctx, r.SessionID, map[bool]string{true: "confirmed", false: "recorded"}[known], err == nil)
	return was, known, err
}

func (t table) Enroll(ctx context.Context, r verification.Record) (was verification.Record, known bool, err error) {
	was, known, err = t.Store.Enroll(ctx, r)
	t.wrote(ctx, r.SessionID, "a task waits", err == nil)
	return was, known, err
}

func (t table) Replace(ctx context.Context, r verification.Record) (bool, error) {
	before, _, _ := t.Store.Record(ctx, r.SessionID)
	done, err := t.Store.Replace(ctx, r)
	title := before.Status + " → " + r.Status
	if before.Status == r.Status {
		title = "status unchanged"
	}
	t.wrote(ctx, r.SessionID, title, done)
	return done, err
}

func (t table) MarkErased(ctx context.Context, r verification.Record) (marked, gone bool, err error) {
	marked, gone, err = t.Store.MarkErased(ctx, r)
	if marked {
		t.timeline.add(hop{Kind: "table", SessionID: r.SessionID, Title: "emptied", Result: "erased", Tone: "bad", At: t.now()})
	}
	return marked, gone, err
}

func (t table) wrote(ctx context.Context, id, title string, done bool) {
	r, found, err := t.Record(ctx, id)
	if !done || !found || err != nil {
		return
	}
	t.record(r.SessionID)
	row := map[string]any{
		"session_id": r.SessionID, "vendor_data": r.VendorData, "workflow_id": r.WorkflowID, "status": r.Status, "status_at": r.StatusAt,
		"final": r.Final(), "next": r.Next(), "source": r.Source, "awaited": r.Awaited, "asked": r.Asked, "version": r.Version,
		"due_from": optional(r.DueFrom), "doubt_at": optional(r.DoubtAt),
	}
	t.timeline.add(hop{Kind: "table", SessionID: r.SessionID, Title: title, Result: r.Status, Tone: toneOfStatus(r.Status), At: t.now(),
		Parts: []part{{"Row", nil, indent(row)}}})
}

// optional returns nil for a time that is not set.
func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

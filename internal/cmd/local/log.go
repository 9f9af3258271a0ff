package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"didit-sessions/internal/awsfake"
	"didit-sessions/internal/config"
	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/verification"
)

// requestLog prints a line for each request and each event, without bodies, headers, users or
// session tokens. It is safe for concurrent use.
type requestLog struct {
	callbacks string // that signed-in users may send, as they are configured

	mu    sync.Mutex
	out   io.Writer
	polls map[string][sha256.Size]byte // the last answers to GET, by caller and target
}

// maxPolls is how many answers are remembered.
const maxPolls = 1000

func newRequestLog(out io.Writer, getenv func(string) string) *requestLog {
	return &requestLog{out: out, callbacks: cmp.Or(getenv(config.AllowedCallbacks), defaults[config.AllowedCallbacks])}
}

func (l *requestLog) request(server, method, path string, status int, note string) {
	l.write("%-8s %d  %-4s %s  %s", server, status, method, path, note)
}

// hint prints what a developer may want to know about the last request.
func (l *requestLog) hint(format string, args ...any) { l.write("         "+format, args...) }

// answer prints the line of a request to the gateway, with why it was refused. It leaves out a
// successful GET whose answer is that of the last one: apps ask again and again.
func (l *requestLog) answer(r *http.Request, path string, a awsfake.HTTPAnswer, took time.Duration) {
	if r.Method == http.MethodGet && a.Status == http.StatusOK && l.isPoll(r, a.Body) {
		return
	}
	note := took.Round(time.Millisecond).String()
	if took < time.Millisecond {
		note = "<1ms"
	}
	if a.Status < 400 {
		l.request("gateway", r.Method, path, a.Status, note)
		return
	}
	reason, fields := refusal(a)
	l.request("gateway", r.Method, path, a.Status, reason+"  "+note)
	if slices.Contains(fields, "callback") {
		l.hint("callbacks of signed-in users are http://localhost and what %s lists: %s", config.AllowedCallbacks, l.callbacks)
	}
}

// isPoll reports whether the last GET of the same caller had the same answer.
func (l *requestLog) isPoll(r *http.Request, body []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	key, sum := r.Header.Get("Authorization")+" "+r.RequestURI, sha256.Sum256(body)
	if l.polls[key] == sum {
		return true
	}
	if l.polls == nil || len(l.polls) >= maxPolls {
		l.polls = map[string][sha256.Size]byte{}
	}
	l.polls[key] = sum
	return false
}

// refusal returns why a request was refused: the code of a problem and its fields, or the gateway's
// own words. Names of fields that do not exist are the caller's, and left out.
func refusal(a awsfake.HTTPAnswer) (reason string, fields []string) {
	var p struct {
		Code   string `json:"code"`
		Errors []struct {
			Field string `json:"field"`
		} `json:"errors"`
	}
	if json.Unmarshal(a.Body, &p) != nil || p.Code == "" {
		reason = "by the gateway"
		if _, problem, ok := strings.Cut(a.Header.Get("Www-Authenticate"), "error_description="); ok {
			reason += ": " + strings.Trim(problem, `"`)
		}
		return reason, nil
	}
	for _, e := range p.Errors {
		name := e.Field
		if !verification.KnownField(name) && name != "qr" {
			name = "(an unknown field)"
		}
		fields = append(fields, name)
	}
	if len(fields) == 0 {
		return p.Code, nil
	}
	return p.Code + ": " + strings.Join(fields, ", "), fields
}

func (l *requestLog) write(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.out, "%s  %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}

// Write prints the lines of the functions' logs.
func (l *requestLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Write(p)
}

func (l *requestLog) didit(e didittest.Exchange) { l.request("didit", e.Method, e.Path, e.Status, "") }

// delivery prints the deliveries that the gateway does not see.
func (l *requestLog) delivery(d didittest.Delivery) {
	if d.Status == 0 {
		l.write("%-8s %s: %s, session %s", "webhook", d.Problem, d.SessionStatus, d.SessionID)
	}
}

// event prints an event on the bus.
func (l *requestLog) event(_ context.Context, e verification.Event) error {
	if e.UserErased {
		l.write("%-8s %s", "bus", e.DetailType())
		return nil
	}
	l.write("%-8s %s: %s, session %s", "bus", e.DetailType(), e.Status, e.SessionID)
	return nil
}

// functions returns the log of the functions: what they warn of and fail with, in short.
func (l *requestLog) functions() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelWarn, ReplaceAttr: shorten}))
}

// shorten leaves of a function's line what the line of the gateway does not have.
func shorten(_ []string, a slog.Attr) slog.Attr {
	switch a.Key {
	case slog.TimeKey:
		return slog.String(a.Key, a.Value.Time().Format(time.TimeOnly))
	case slog.LevelKey, "operation", "session_id", "code", "reason":
		return a
	}
	return slog.Attr{}
}

package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/verification"
)

// requestLog prints a line for each request and each event, without bodies, headers, users or
// session tokens. It is safe for concurrent use.
type requestLog struct {
	mu  sync.Mutex
	out io.Writer
}

func (l *requestLog) request(server, method, path string, status int, note string) {
	l.write("%-8s %d  %-4s %s  %s", server, status, method, path, note)
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
	l.write("%-8s %s: %s, session %s", "bus", e.DetailType(), e.Status, e.SessionID)
	return nil
}

// functions returns the log of the functions: warnings and errors.
func (l *requestLog) functions() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

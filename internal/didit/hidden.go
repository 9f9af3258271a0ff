package didit

import (
	"fmt"
	"io"
	"log/slog"
)

// hidden is embedded in types that must not be printed, logged or encoded by accident: its methods
// do that for them, with a fixed word.
type hidden struct{}

const redacted = "[redacted]"

func (hidden) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

func (hidden) LogValue() slog.Value { return slog.StringValue(redacted) }

func (hidden) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// Format prints the session's id and status only.
func (s Session) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "session %s (%s)", s.ID, s.Status)
}

// LogValue logs the session's id and status only.
func (s Session) LogValue() slog.Value {
	return slog.GroupValue(slog.String("session_id", s.ID), slog.String("status", s.Status))
}

// Format prints the event's id, type, session and status only.
func (e WebhookEvent) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "event %s %s session %s (%s)", e.ID, e.Type, e.SessionID, e.Status)
}

// LogValue logs the event's id, type, session and status only.
func (e WebhookEvent) LogValue() slog.Value {
	return slog.GroupValue(slog.String("event_id", e.ID), slog.String("type", e.Type),
		slog.String("session_id", e.SessionID), slog.String("status", e.Status))
}

// Format prints the session's id and status only.
func (d Decision) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "decision of session %s (%s)", d.SessionID, d.Status)
}

// LogValue logs the session's id and status only.
func (d Decision) LogValue() slog.Value {
	return slog.GroupValue(slog.String("session_id", d.SessionID), slog.String("status", d.Status))
}

package verification

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// redacted replaces what callers sent.
const redacted = "[redacted]"

// hidden is embedded in types that hold personal data: they print, log and encode as [redacted]
// unless they have a method of their own.
type hidden struct{}

func (hidden) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

func (hidden) LogValue() slog.Value { return slog.StringValue(redacted) }

func (hidden) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// Format prints the event's id, session and status alone.
func (e Event) Format(f fmt.State, _ rune) {
	if e.UserErased {
		_, _ = fmt.Fprintf(f, "event %s (user erased)", e.ID)
		return
	}
	_, _ = fmt.Fprintf(f, "event %s of session %s (%s)", e.ID, e.SessionID, e.Status)
}

// LogValue logs the event's id, session and status alone.
func (e Event) LogValue() slog.Value {
	return slog.GroupValue(slog.String("event_id", e.ID), slog.String("session_id", e.SessionID),
		slog.String("status", e.Status))
}

// Format prints the record's session and status alone.
func (r Record) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "record of session %s (%s)", r.SessionID, r.Status)
}

// LogValue logs the record's session and status alone.
func (r Record) LogValue() slog.Value {
	return slog.GroupValue(slog.String("session_id", r.SessionID), slog.String("status", r.Status))
}

// String returns the field and the rule that it breaks. Of a private message it returns at most the
// field, and only if this package knows it: other names come from Didit and may quote anything.
func (e FieldError) String() string {
	switch {
	case !e.Private:
		return strings.TrimSpace(e.Field + " " + e.Message)
	case KnownField(e.Field):
		return e.Field + " " + redacted
	default:
		return redacted
	}
}

// Format prints [FieldError.String] for every verb.
func (e FieldError) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, e.String()) }

// LogValue logs [FieldError.String].
func (e FieldError) LogValue() slog.Value { return slog.StringValue(e.String()) }

// MarshalJSON encodes [FieldError.String]. Callers get a form of its own, which is the API's.
func (e FieldError) MarshalJSON() ([]byte, error) { return json.Marshal(e.String()) }

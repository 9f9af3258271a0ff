package verification

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// redacted is what stands in the place of what a caller sent.
const redacted = "[redacted]"

// Format prints a fixed word for every verb: a value may hold personal data.
func (Value) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue logs a fixed word.
func (Value) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON encodes a fixed word.
func (Value) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// Format prints a fixed word for every verb.
func (Caller) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue logs a fixed word.
func (Caller) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON encodes a fixed word.
func (Caller) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// Format prints the event's id, session and status alone, for every verb.
func (e Event) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "event %s of session %s (%s)", e.ID, e.SessionID, e.Status)
}

// LogValue logs the event's id, session and status alone.
func (e Event) LogValue() slog.Value {
	return slog.GroupValue(slog.String("event_id", e.ID), slog.String("session_id", e.SessionID), slog.String("status", e.Status))
}

// MarshalJSON encodes a fixed word; [EncodeDetail] has the event's own form.
func (Event) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// Format prints the record's session and status alone, for every verb.
func (r Record) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "record of session %s (%s)", r.SessionID, r.Status)
}

// LogValue logs the record's session and status alone.
func (r Record) LogValue() slog.Value {
	return slog.GroupValue(slog.String("session_id", r.SessionID), slog.String("status", r.Status))
}

// MarshalJSON encodes a fixed word: whose session it is, is nobody's business.
func (Record) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// String is the field and the rule that it breaks; of a private message, at most the name of a field
// that this package knows, because other names are Didit's and may quote anything.
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

// MarshalJSON encodes [FieldError.String]: what callers get is the contract's, not this type's, form.
func (e FieldError) MarshalJSON() ([]byte, error) { return json.Marshal(e.String()) }

// Format prints a fixed word for every verb.
func (*draft) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

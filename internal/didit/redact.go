package didit

import (
	"fmt"
	"io"
	"log/slog"
)

// redacted is what stands in the place of a value that must not be printed.
const redacted = "[redacted]"

// redactedJSON is redacted as a JSON value.
const redactedJSON = `"` + redacted + `"`

func formatRedacted(f fmt.State) { _, _ = io.WriteString(f, redacted) }

// Format prints a fixed word for every verb.
func (Credentials) Format(f fmt.State, _ rune) { formatRedacted(f) }

// LogValue logs a fixed word.
func (Credentials) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON encodes a fixed word.
func (Credentials) MarshalJSON() ([]byte, error) { return []byte(redactedJSON), nil }

// Format prints a fixed word for every verb.
func (*CredentialCache) Format(f fmt.State, _ rune) { formatRedacted(f) }

// Format prints a fixed word for every verb.
func (*TokenCache) Format(f fmt.State, _ rune) { formatRedacted(f) }

// Format prints a fixed word for every verb.
func (authorization) Format(f fmt.State, _ rune) { formatRedacted(f) }

// Format prints a fixed word for every verb.
func (accessToken) Format(f fmt.State, _ rune) { formatRedacted(f) }

// LogValue logs a fixed word.
func (accessToken) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON encodes a fixed word.
func (accessToken) MarshalJSON() ([]byte, error) { return []byte(redactedJSON), nil }

// Format prints a fixed word for every verb.
func (SessionRequest) Format(f fmt.State, _ rune) { formatRedacted(f) }

// LogValue logs a fixed word.
func (SessionRequest) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON encodes a fixed word. [Client.CreateSession] has an encoder of its own.
func (SessionRequest) MarshalJSON() ([]byte, error) { return []byte(redactedJSON), nil }

// Format prints a fixed word for every verb.
func (ContactDetails) Format(f fmt.State, _ rune) { formatRedacted(f) }

// LogValue logs a fixed word.
func (ContactDetails) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON encodes a fixed word.
func (ContactDetails) MarshalJSON() ([]byte, error) { return []byte(redactedJSON), nil }

// Format prints a fixed word for every verb.
func (ExpectedDetails) Format(f fmt.State, _ rune) { formatRedacted(f) }

// LogValue logs a fixed word.
func (ExpectedDetails) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON encodes a fixed word.
func (ExpectedDetails) MarshalJSON() ([]byte, error) { return []byte(redactedJSON), nil }

// Format prints the session's id and status alone, for every verb.
func (s Session) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "session %s (%s)", s.ID, s.Status)
}

// LogValue logs the session's id and status alone.
func (s Session) LogValue() slog.Value {
	return slog.GroupValue(slog.String("session_id", s.ID), slog.String("status", s.Status))
}

// MarshalJSON encodes a fixed word: the URL is a secret, and whoever hands it out says so
// by naming the field.
func (Session) MarshalJSON() ([]byte, error) { return []byte(redactedJSON), nil }

// Format prints a fixed word for every verb: Didit's sentences may quote personal data, and so may
// names of fields that Didit makes up.
func (FieldError) Format(f fmt.State, _ rune) { formatRedacted(f) }

// LogValue logs a fixed word.
func (FieldError) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON encodes a fixed word.
func (FieldError) MarshalJSON() ([]byte, error) { return []byte(redactedJSON), nil }

// Format prints a fixed word for every verb.
func (answer) Format(f fmt.State, _ rune) { formatRedacted(f) }

// Format prints a fixed word for every verb.
func (refusal) Format(f fmt.State, _ rune) { formatRedacted(f) }

// Format prints a fixed word for every verb.
func (WebhookSecrets) Format(f fmt.State, _ rune) { formatRedacted(f) }

// LogValue logs a fixed word.
func (WebhookSecrets) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON encodes a fixed word.
func (WebhookSecrets) MarshalJSON() ([]byte, error) { return []byte(redactedJSON), nil }

// Format prints a fixed word for every verb.
func (*WebhookSecretCache) Format(f fmt.State, _ rune) { formatRedacted(f) }

// Format prints the event's id, type, session and status alone, for every verb.
func (e WebhookEvent) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "event %s %s session %s (%s)", e.ID, e.Type, e.SessionID, e.Status)
}

// LogValue logs the event's id, type, session and status alone.
func (e WebhookEvent) LogValue() slog.Value {
	return slog.GroupValue(slog.String("event_id", e.ID), slog.String("type", e.Type),
		slog.String("session_id", e.SessionID), slog.String("status", e.Status))
}

// MarshalJSON encodes a fixed word: vendor data is nobody's to print by accident.
func (WebhookEvent) MarshalJSON() ([]byte, error) { return []byte(redactedJSON), nil }

// Format prints the session's id and status alone, for every verb.
func (d Decision) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "decision of session %s (%s)", d.SessionID, d.Status)
}

// LogValue logs the session's id and status alone.
func (d Decision) LogValue() slog.Value {
	return slog.GroupValue(slog.String("session_id", d.SessionID), slog.String("status", d.Status))
}

// MarshalJSON encodes a fixed word. Raw is the document, and whoever hands it out says so by
// naming the field.
func (Decision) MarshalJSON() ([]byte, error) { return []byte(redactedJSON), nil }

// Format prints a fixed word for every verb.
func (*delivery) Format(f fmt.State, _ rune) { formatRedacted(f) }

// Format prints a fixed word for every verb.
func (jsonValue) Format(f fmt.State, _ rune) { formatRedacted(f) }

// Format prints a fixed word for every verb.
func (jsonMember) Format(f fmt.State, _ rune) { formatRedacted(f) }

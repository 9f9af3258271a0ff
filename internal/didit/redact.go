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

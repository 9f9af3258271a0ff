package lambdahttp

import (
	"fmt"
	"io"
	"log/slog"
)

// redacted is what stands in the place of what a caller sent or gets.
const redacted = "[redacted]"

// redactedJSON is redacted as a JSON value.
const redactedJSON = `"` + redacted + `"`

func formatRedacted(f fmt.State) { _, _ = io.WriteString(f, redacted) }

// Format prints a fixed word for every verb: claims are personal data.
func (Proof) Format(f fmt.State, _ rune) { formatRedacted(f) }

// LogValue logs a fixed word.
func (Proof) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON encodes a fixed word.
func (Proof) MarshalJSON() ([]byte, error) { return []byte(redactedJSON), nil }

// Format prints a fixed word for every verb: an event holds tokens and personal data.
func (event) Format(f fmt.State, _ rune) { formatRedacted(f) }

// LogValue logs a fixed word.
func (event) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON encodes a fixed word. Events are only ever decoded.
func (event) MarshalJSON() ([]byte, error) { return []byte(redactedJSON), nil }

// Format prints a fixed word for every verb: an answer holds the session's URL.
func (*recorder) Format(f fmt.State, _ rune) { formatRedacted(f) }

package verification

import (
	"fmt"
	"io"
	"log/slog"
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

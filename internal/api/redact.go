package api

import (
	"fmt"
	"io"
	"log/slog"
)

// redacted is what stands in the place of who the caller is.
const redacted = "[redacted]"

// Format prints a fixed word for every verb: claims are personal data.
func (Identity) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue logs a fixed word.
func (Identity) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON encodes a fixed word.
func (Identity) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

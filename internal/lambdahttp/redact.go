package lambdahttp

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// hidden is embedded in types that hold personal data: they print, log and encode as [redacted].
type hidden struct{}

func (hidden) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

func (hidden) LogValue() slog.Value { return slog.StringValue(redacted) }

func (hidden) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// Format prints a fixed word for every verb: claims are personal data.
func (RequestContext) Format(f fmt.State, verb rune) { hidden{}.Format(f, verb) }

// LogValue logs a fixed word.
func (RequestContext) LogValue() slog.Value { return hidden{}.LogValue() }

// MarshalJSON encodes a fixed word.
func (RequestContext) MarshalJSON() ([]byte, error) { return hidden{}.MarshalJSON() }

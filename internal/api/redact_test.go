package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// Ensure that nothing that the gateway proved of a caller is printed, whichever way it is printed.
func TestRequestContext_redaction(t *testing.T) {
	t.Parallel()
	const marker = "PLANTED"
	identity := RequestContext{RequestID: marker, Claims: map[string]json.RawMessage{marker: json.RawMessage(`"` + marker + `"`)}}
	for _, value := range []any{identity, &identity, []RequestContext{identity}, map[string]any{"i": identity}, struct{ I RequestContext }{identity}} {
		kind := fmt.Sprintf("%T", value)
		encoded, err := json.Marshal(value)
		if err != nil {
			t.Errorf("%s as JSON: %v", kind, err)
		}
		prints := []string{string(encoded)}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			prints = append(prints, fmt.Sprintf(verb, value))
		}
		for _, handler := range []func(*bytes.Buffer) slog.Handler{
			func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
			func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		} {
			var out bytes.Buffer
			slog.New(handler(&out)).Info("m", "v", value, slog.Group("g", "v", value))
			prints = append(prints, out.String())
		}
		for i, got := range prints {
			// The raw values of claims are bytes, which print as numbers.
			if strings.Contains(got, marker) || strings.Contains(got, fmt.Sprintf("%x", marker)) ||
				strings.Contains(got, strings.Trim(fmt.Sprint([]byte(marker)), "[]")) || !strings.Contains(got, redacted) {
				t.Errorf("%s, output %d: got %s, want %s in the place of the claims", kind, i, got, redacted)
			}
		}
	}
}

package lambdahttp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
)

// Ensure that nothing of a request, of its sender or of the answer is printed, whichever way it is
// printed.
func TestRedaction(t *testing.T) {
	t.Parallel()
	const marker = "PLANTED"
	gateway := RequestContext{RequestID: marker, Claims: map[string]json.RawMessage{marker: json.RawMessage(`"` + marker + `"`)}}
	e, ok := parseEvent(payload(t, map[string]any{"rawPath": marker, "rawQueryString": marker, "cookies": []string{marker},
		"headers": map[string]string{"authorization": marker}, "body": marker},
		map[string]any{"authorizer": map[string]any{"jwt": map[string]any{"claims": map[string]string{"sub": marker}}}}), 0)
	if !ok || string(e.Body.text) != marker {
		t.Fatal("the event was not read")
	}
	answer := &recorder{header: http.Header{marker: {marker}}}
	answer.body.WriteString(marker)
	for _, value := range []any{gateway, &gateway, []RequestContext{gateway}, e, &e, []event{e},
		struct {
			P RequestContext
			E *event
		}{gateway, &e}, map[string]any{"p": &gateway, "e": e}, answer, []any{answer}} {
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
			// Bytes print as numbers.
			if strings.Contains(got, marker) || strings.Contains(got, fmt.Sprintf("%x", marker)) ||
				strings.Contains(got, strings.Trim(fmt.Sprint([]byte(marker)), "[]")) {
				t.Errorf("%s, output %d: got the planted marker in %s", kind, i, got)
			}
		}
	}
}

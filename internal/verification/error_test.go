package verification

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"didit-sessions/internal/didit"
)

func TestError_text(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err  *Error
		text string
		wait time.Duration
	}{
		{NewError(CodeInternal, ""), "internal", 0},
		{NewError(CodeInternal, "no table"), "internal: no table", 0},
		{NewError(CodeSecretUnavailable, "denied"), "secret_unavailable: denied", 0},
		{NewError(CodeBackendUnavailable, "no table"), "backend_unavailable: no table", 30 * time.Second},
		{&Error{Code: CodeThrottled, Detail: "x", Fields: []FieldError{{Field: "f", Message: "m"}}}, "throttled", 0},
	} {
		if got := test.err.Error(); got != test.text || test.err.RetryAfter != test.wait {
			t.Errorf("got %q, retry after %v, want %q, %v", got, test.err.RetryAfter, test.text, test.wait)
		}
		var decoded string
		encoded, err := json.Marshal(test.err)
		if err == nil {
			err = json.Unmarshal(encoded, &decoded)
		}
		if err != nil || decoded != test.text {
			t.Errorf("%q as JSON: got %s, error %v", test.text, encoded, err)
		}
	}
}

func TestAsError(t *testing.T) {
	t.Parallel()
	own := NewError(CodeThrottled, "")
	if got := AsError(fmt.Errorf("wrapped: %w", own)); got != own {
		t.Errorf("wrapped: got %v, want the error itself", got)
	}
	if got := AsError(errors.New("user@example.com was here")); got.Code != CodeInternal || strings.Contains(got.Error(), "@") {
		t.Errorf("foreign: got %v, want an internal error in our own words", got)
	}
}

// Ensure that nothing secret or personal is printed, whichever way a value is printed.
func TestRedaction(t *testing.T) {
	t.Parallel()
	const marker = "MARKER"
	text, number := marker+"-text", int64(424242)
	raw := json.RawMessage(`"` + marker + `"`)
	request := didit.SessionRequest{WorkflowID: marker, VendorData: marker, Fields: map[string]any{"callback": marker, "metadata": raw}}
	session := Session{ID: "the-id", Number: &number, Token: marker, URL: marker, VendorData: &text, Metadata: raw, Status: "Not Started", WorkflowID: marker,
		Callback: &text, WorkflowVersion: &number, Kind: &text}
	failure := &Error{Code: CodeInvalidRequest, Detail: marker, Reason: "the reason", Fields: []FieldError{{Field: marker, Message: marker, Private: true}}}
	explained := explain(&didit.Error{Kind: didit.KindInvalidRequest, Op: "create_session", Detail: marker,
		Fields: []didit.FieldError{{Field: "callback", Message: marker}}})

	value := parse(t, `{"email":"`+marker+`","list":["`+marker+`"]}`)
	create := CreateRequest{Caller: Caller{Principal: marker}, Fields: value, Invalid: []FieldError{{Field: "f", Message: "is odd."}}}

	for _, test := range []struct {
		name  string
		value any
		shown string // what is still there, printed and logged
	}{
		{"request", request, "[redacted]"},
		{"pointer to request", &request, "[redacted]"},
		{"session", session, "the-id"},
		{"pointer to session", &session, "the-id"},
		{"created session", Created{Session: session}, "the-id"},
		{"pointer to created session", &Created{Session: session}, "the-id"},
		{"list of sessions", []Session{session}, ""},
		{"map of requests", map[string]any{"r": request, "s": &session}, ""},
		{"error", failure, "invalid_request: the reason"},
		{"explained error", explained, "invalid_request"},
		{"wrapped error", fmt.Errorf("wrapped: %w", failure), "the reason"},
		{"joined errors", errors.Join(failure, explained), ""},
		{"list of errors", []error{failure}, ""},
		{"value", value, "[redacted]"},
		{"pointer to value", &value, "[redacted]"},
		{"members", value.Members, ""},
		{"create request", create, "[redacted]"},
		{"pointer to create request", &create, "[redacted]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var out []string
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
				out = append(out, fmt.Sprintf(verb, test.value))
			}
			out = append(out, fmt.Sprint(test.value), fmt.Sprintln(test.value))
			for _, handler := range []func(*bytes.Buffer) slog.Handler{
				func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
				func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
			} {
				var b bytes.Buffer
				slog.New(handler(&b)).Info("x", "value", test.value, slog.Group("g", "value", test.value))
				out = append(out, b.String())
			}
			for i, got := range out {
				// %x of a wrapped error is hexadecimal, of the same text.
				if !strings.Contains(got, test.shown) && !strings.Contains(got, fmt.Sprintf("%x", test.shown)) {
					t.Errorf("output %d: got %s, want it to show %q", i, got, test.shown)
				}
			}
			encoded, err := json.Marshal(test.value)
			if err != nil {
				t.Errorf("json.Marshal: %v", err)
			}
			for i, got := range append(out, string(encoded)) {
				if strings.Contains(got, marker) || strings.Contains(got, fmt.Sprintf("%x", marker)) || strings.Contains(got, "424242") {
					t.Errorf("output %d: got %s, which shows what is secret", i, got)
				}
			}
		})
	}
}

package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"didit-sessions/internal/lambdatest"
)

// Ensure that a panic while a request is handled reveals nothing that was in reach of it: not in
// the answer and logs of the runtime, nor in Go's own message for a panic on another goroutine.
func TestPanics(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "bootstrap")
	if err := lambdatest.Build(t.Context(), "./functions/createsession/testdata/panicking", program); err != nil {
		t.Fatal(err)
	}
	payloads := map[string][]byte{"direct": []byte(plantedBody), "http": plantedEvent(t, plantedBody)}
	for _, how := range []string{
		"gateway's context", "request context", "http request", "request", "text", "caller", "fields", "credentials", "session", "error", "wrapped", "refusals",
		"nil", "conversion", "unhashable", "index", "another goroutine",
	} {
		for path, payload := range payloads {
			if path == "direct" && (how == "gateway's context" || how == "request context" || how == "http request") {
				continue // has no caller to identify
			}
			w, err := lambdatest.Start(t.Context(), lambdatest.Options{Binary: program,
				Env: map[string]string{"PANIC": how, "SECRET": plantedSecret, "AWS_LAMBDA_LOG_LEVEL": "DEBUG"}})
			if err != nil {
				t.Fatal(err)
			}
			r, err := w.Invoke(t.Context(), payload)
			<-w.Exited()
			logs := w.Logs()
			if how == "another goroutine" {
				if err == nil || !bytes.Contains(logs, []byte("goroutine")) {
					t.Errorf("%s, %s: got %v, logs %s, want the process to die of a panic", how, path, err, logs)
				}
			} else if err != nil || !r.Panicked() || !bytes.Contains(logs, []byte("stackTrace")) {
				t.Errorf("%s, %s: got %v, %s, logs %s, want a panic that is reported", how, path, err, r.Payload, logs)
			}
			for _, marker := range planted {
				if at := strings.Index(string(r.Payload)+string(logs), marker); at >= 0 {
					t.Errorf("%s, %s: found %q: %s\n%s", how, path, marker, r.Payload, logs)
				}
			}
		}
	}
}

// plantedEvent is an HTTP request with the body, from a caller of whom nothing may be revealed.
func plantedEvent(t *testing.T, body string) []byte {
	t.Helper()
	var e map[string]any
	if err := json.Unmarshal(event(t, "http-full"), &e); err != nil {
		t.Fatal(err)
	}
	e["rawQueryString"], e["cookies"] = "planted=query", []string{"planted=cookie"}
	e["body"], e["isBase64Encoded"] = body, false
	headers := e["headers"].(map[string]any)
	headers["authorization"], headers["user-agent"], headers["x-forwarded-for"] = "Bearer planted-jwt", "planted-agent", "198.51.100.77"
	gateway := e["requestContext"].(map[string]any)
	gateway["http"].(map[string]any)["sourceIp"] = "198.51.100.77"
	claims := gateway["authorizer"].(map[string]any)["jwt"].(map[string]any)["claims"].(map[string]any)
	claims["sub"], claims["email"], claims["phone_number"], claims["planted-claim"] = "planted-user", "planted@example.com", "+442071838750", "planted-claim"
	payload, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

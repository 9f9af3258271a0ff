package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"didit-sessions/internal/api/apitest"
)

// lockedBuffer is written by servers while a test reads it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func env(values map[string]string) func(string) string {
	return func(name string) string { return values[name] }
}

func startSystem(t *testing.T, values map[string]string, out io.Writer) *system {
	t.Helper()
	return startOptions(t, options{getenv: env(values), out: out, patience: patience})
}

func startOptions(t *testing.T, o options) *system {
	t.Helper()
	o.listen = "127.0.0.1"
	o.sleep = func(context.Context, time.Duration) {}
	o.around = func(gateway http.Handler) http.Handler { return apitest.Handler(t, gateway) }
	s, err := start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Errorf("stopping: %v", err)
		}
	})
	return s
}

func do(t *testing.T, method, url, authorization, contentType, body string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(text)
}

// answer is what the tests read of any JSON.
type answer struct {
	SessionID string `json:"session_id"`
	URL       string `json:"url"`
	Status    any    `json:"status"`
	Next      string `json:"next"`
	Name      string `json:"name"`
	State     string `json:"state"`
}

// doJSON fails unless the answer has the status.
func doJSON(t *testing.T, method, url, user, body string, status int) answer {
	t.Helper()
	authorization := ""
	if user != "" {
		authorization = "Bearer " + user
	}
	response, text := do(t, method, url, authorization, "application/json", body)
	var a answer
	if err := json.Unmarshal([]byte(text), &a); err != nil || response.StatusCode != status {
		t.Fatalf("%s %s: got %d %.300s, want %d", method, url, response.StatusCode, text, status)
	}
	return a
}

// decide sends the form of the page behind a session's URL.
func decide(t *testing.T, sessionURL, word string) {
	t.Helper()
	response, _ := do(t, "POST", sessionURL+"/decision", "", "application/x-www-form-urlencoded", url.Values{"status": {word}}.Encode())
	if response.StatusCode != http.StatusSeeOther {
		t.Fatalf("decision: got %d", response.StatusCode)
	}
}

// settle waits until all webhooks are delivered and all events are handled.
func settle(t *testing.T, s *system) {
	t.Helper()
	if err := s.simulator.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.bus.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestStart_refused(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	port := fmt.Sprint(taken.Addr().(*net.TCPAddr).Port)
	for _, test := range []struct {
		args   []string
		values map[string]string
		want   string
	}{
		{[]string{"-port", port}, nil, "port " + port + " is taken"},
		{[]string{"-port", "0", "-simulator-port", port}, nil, "choose one with -simulator-port"},
		{[]string{"-port", "70000"}, nil, "between 0 and 65535"},
		{[]string{"-listen", "203.0.113.7", "-port", "0"}, nil, "cannot listen on 203.0.113.7"},
		{[]string{"-port", "0"}, map[string]string{"WORKFLOW_IDS": "kyc"}, "WORKFLOW_IDS"},
		{[]string{"-port", "0"}, map[string]string{"RECONCILE_AFTER": "1s"}, "RECONCILE_AFTER"},
		{[]string{"-port", "0"}, map[string]string{"WEBHOOK_TOLERANCE": "soon"}, "WEBHOOK_TOLERANCE"},
		{[]string{"serve"}, nil, `unknown argument "serve"`},
		{[]string{"demo", "fast"}, nil, "demo takes no arguments"},
	} {
		err := run(t.Context(), test.args, env(test.values), io.Discard)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: got %v, want %q", test.args, err, test.want)
		}
	}
}

// Ensure that a variable that several functions share is named once, beside all others that are
// wrong.
func TestLoad_distinct(t *testing.T) {
	t.Parallel()
	_, err := load(env(map[string]string{"CALLER_AUTH": "none", "RETENTION_DAYS": "0", "RECONCILE_AFTER": "x"}))
	if err == nil {
		t.Fatal("got no error")
	}
	for _, name := range []string{"CALLER_AUTH", "RETENTION_DAYS", "RECONCILE_AFTER"} {
		if got := strings.Count(err.Error(), name); got != 1 {
			t.Errorf("%s: named %d times in\n%v", name, got, err)
		}
	}
}

// Ensure that run says what runs where and ends when its context does.
func TestRun_stops(t *testing.T) {
	t.Parallel()
	for _, callerAuth := range []string{"jwt", "iam"} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var out lockedBuffer
		if err := run(ctx, []string{"-port", "0"}, env(map[string]string{"CALLER_AUTH": callerAuth}), &out); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"page and API      http://127.0.0.1:", "Didit simulator   http://127.0.0.1:", "curl -s http://", "stopping"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: got %s, want %q in it", callerAuth, &out, want)
			}
		}
	}
}

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"didit-sessions/internal/didit/didittest"
)

// Ensure that the whole story ends as expected, a numbered line a step.
func TestDemo(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := run(t.Context(), []string{"demo"}, nil, &out); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	lines := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
	for i, line := range lines[:len(lines)-1] {
		if !strings.HasPrefix(line, fmt.Sprintf("%2d. ", i+1)) {
			t.Errorf("line %d: got %q", i+1, line)
		}
	}
	if len(lines) != 30 || !strings.HasPrefix(lines[29], "done") {
		t.Errorf("got %d lines:\n%s", len(lines), &out)
	}
}

// Ensure that a story that ends otherwise is an error at that step.
func TestTell_fails(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		sabotage func(*system)
		want     string
	}{
		{"Didit refuses all", func(s *system) { s.simulator.Inject(didittest.Forbidden) }, "step 1: "},
		{"Didit makes a session for each request", func(s *system) { s.simulator.NoReuse = true }, "step 2: "},
		{"sessions cannot be read", func(s *system) { s.functions.get.HTTP = nil }, "step 9: "},
		{"webhooks are stale", func(s *system) { s.simulator.Misdeliver(didittest.SendStale, 0) }, "step 12: the webhook was answered with 401"},
		{"webhooks are lost", func(s *system) { s.simulator.Misdeliver(didittest.SendNever, 0) }, "step 12: the webhook was answered with 0 never sent"},
		{"no workflow can wait", func(s *system) { s.functions.await.Direct = nil }, "step 17: "},
		{"reconcile does not run", func(s *system) { s.functions.reconcile.Direct = nil }, "step 21: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := startSystem(t, nil, io.Discard)
			test.sabotage(s)
			if err := tell(t.Context(), s, io.Discard); err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("got %v, want an error at %s", err, test.want)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := demo(ctx, io.Discard); err == nil || !strings.Contains(err.Error(), "step 1") {
		t.Errorf("cancelled: got %v, want an error at step 1", err)
	}
}

// Ensure that nothing that the story makes the system log names a person or opens anything.
func TestTell_logsNothingSecret(t *testing.T) {
	t.Parallel()
	var log lockedBuffer
	s := startSystem(t, demoVariables, &log)
	var out bytes.Buffer
	if err := tell(t.Context(), s, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"bus ", "Verification Session Status Updated: Declined", "never sent: Approved", "gateway  404  POST /webhooks/didit"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("got log\n%s\nwant %q in it", &log, want)
		}
	}
	for _, person := range []string{"alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "Carmen", "415555", "premium"} {
		if strings.Contains(log.String(), person) {
			t.Errorf("the log holds %q:\n%s", person, &log)
		}
	}
	sessionURL := regexp.MustCompile(`/session/[A-Za-z0-9_-]{12}(/|\s|"|$)`)
	for _, text := range []string{log.String(), out.String()} {
		if found := sessionURL.FindString(text); found != "" {
			t.Errorf("a session's URL is in\n%s", text)
		}
		for _, secret := range []string{"Bearer", didittest.DefaultClientSecret, didittest.DefaultWebhookSecret, "new-client-secret"} {
			if strings.Contains(text, secret) {
				t.Errorf("%q is in\n%s", secret, text)
			}
		}
	}
	_, body := do(t, http.MethodGet, s.url+"/local/state", "", "", "")
	for _, hidden := range []string{"Carmen", "premium", "Bearer alice", "new-client-secret", didittest.DefaultWebhookSecret} {
		if strings.Contains(body, hidden) {
			t.Errorf("the page's state holds %q", hidden)
		}
	}
}

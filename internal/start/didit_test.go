package start

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"didit-sessions/internal/config"
	"didit-sessions/internal/didit"
	"didit-sessions/internal/verification"
	"didit-sessions/internal/version"
)

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Ensure that Didit sees which version calls.
func TestDiditClient_userAgent(t *testing.T) {
	t.Parallel()
	c := DiditClient(config.Didit{}, new(didit.TokenCache), func(context.Context) (string, error) { return `{"api_key":"key"}`, nil })
	var got string
	c.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
		got = r.UserAgent()
		return nil, errors.New("closed")
	})
	_, _ = c.Decision(t.Context(), "11111111-2222-3333-4444-555555555555")
	if want := "didit-sessions/" + version.Version; got != want {
		t.Errorf("got the user agent %q, want %q", got, want)
	}
}

const marker = "PLANTED"

// wantInvalid checks that an error is for the operator, and does not quote the secret.
func wantInvalid(t *testing.T, secret string, err error) {
	t.Helper()
	e, ok := errors.AsType[*verification.Error](err)
	if !ok || e.Code != verification.CodeSecretUnavailable || !strings.Contains(e.Reason, "the secret") || strings.Contains(e.Reason, marker) {
		t.Errorf("%s: got %v (%T), want secret_unavailable that does not quote the secret", secret, err, err)
	}
}

func TestDiditClient_invalidSecret(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{"", marker, `{"client_id":"` + marker + `"}`, `{"api_key":"a ` + marker + `"}`, `{"api_key":["` + marker + `"]}`} {
		c := DiditClient(config.Didit{}, new(didit.TokenCache), func(context.Context) (string, error) { return secret, nil })
		_, err := c.Decision(t.Context(), "11111111-2222-3333-4444-555555555555")
		wantInvalid(t, secret, err)
	}
}

// Ensure that the previous secret is valid for a day, and that only the current one has to be
// valid.
func TestWebhookSecrets(t *testing.T) {
	t.Parallel()
	rotatedAt := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	const current, previous = `{"webhook_secret":"current"}`, `{"webhook_secret":"previous"}`
	for _, test := range []struct{ previous, want string }{{previous, "previous"}, {"", ""}, {"malformed", ""}} {
		s, err := WebhookSecrets(current, test.previous, rotatedAt)
		if err != nil || s.Current != "current" || s.Previous != test.want {
			t.Errorf("previous secret %s: got %q and %q, error %v, want current and %q", test.previous, s.Current, s.Previous, err, test.want)
		}
		if want := rotatedAt.Add(24 * time.Hour); !s.PreviousUntil.Equal(want) {
			t.Errorf("previous secret %s: got it valid until %v, want %v", test.previous, s.PreviousUntil, want)
		}
	}
	for _, secret := range []string{"", marker, `{"webhook_secret":""}`, `{"webhook_secret":["` + marker + `"]}`} {
		_, err := WebhookSecrets(secret, previous, rotatedAt)
		wantInvalid(t, secret, err)
	}
}

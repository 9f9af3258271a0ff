package didit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"
)

// longestWebhookSecret is in bytes. Didit's have 43 characters.
const longestWebhookSecret = 1024

// Errors of [ParseWebhookSecret] beside [ErrSecretEmpty] and [ErrSecretNotJSON]. They never quote
// the secret.
var (
	ErrWebhookSecretMissing = errors.New(`didit: the secret has no "webhook_secret"`)
	ErrWebhookSecretTooLong = errors.New(`didit: the secret's "webhook_secret" is longer than 1024 bytes`)
)

// ParseWebhookSecret reads a destination's secret from a secret's text, {"webhook_secret"}; other
// members are ignored, and white space around the value is not part of it. It returns an error
// that wraps [ErrSecretEmpty], [ErrSecretNotJSON], [ErrWebhookSecretMissing] or
// [ErrWebhookSecretTooLong].
func ParseWebhookSecret(text string) (string, error) {
	if strings.TrimSpace(text) == "" {
		return "", ErrSecretEmpty
	}
	var fields struct {
		Secret string `json:"webhook_secret"`
	}
	if err := json.Unmarshal(bytes.TrimPrefix([]byte(text), []byte("\ufeff")), &fields); err != nil {
		// The decoder's own text may quote the secret.
		return "", ErrSecretNotJSON
	}
	secret := strings.TrimSpace(fields.Secret)
	switch {
	case secret == "":
		return "", ErrWebhookSecretMissing
	case len(secret) > longestWebhookSecret:
		return "", ErrWebhookSecretTooLong
	}
	return secret, nil
}

// WebhookSecrets are what a destination's deliveries may be signed with: the secret in force and,
// while a rotation is under way, the one before. They print as redacted.
type WebhookSecrets struct {
	Current  string
	Previous string // empty where there is none
	// PreviousUntil is the time from which Previous is no longer accepted.
	PreviousUntil time.Time
}

// inForce lists the secrets to try, the likeliest first.
func (s WebhookSecrets) inForce(now time.Time) []string {
	secrets := []string{s.Current}
	if s.Previous != "" && now.Before(s.PreviousUntil) {
		secrets = append(secrets, s.Previous)
	}
	return secrets
}

// Times of a [WebhookSecretCache].
const (
	// webhookSecretAge is how long the secrets are kept before they are read again.
	webhookSecretAge = 10 * time.Minute
	// webhookRenewInterval is how long after a read that was forced, or that failed, the next
	// one is allowed: anyone can send a signature that does not fit.
	webhookRenewInterval = 10 * time.Second
	// webhookRefreshLimit bounds a read whose failure changes nothing, because the secrets at
	// hand still serve: Didit waits for an answer for 5 s.
	webhookRefreshLimit = time.Second
)

// WebhookSecretCache keeps a destination's secrets for 10 minutes. Concurrent callers share one
// read. A read that fails leaves what was kept before, however old, and is not repeated within
// 10 s while that serves. Set its fields before first use; it must not be copied then.
type WebhookSecretCache struct {
	// Read returns the secrets, Current not empty. Its errors reach the callers. Required.
	Read func(ctx context.Context) (WebhookSecrets, error)
	// Now is the clock; nil means [time.Now].
	Now func() time.Time

	mu        sync.Mutex
	cached    WebhookSecrets
	readAt    time.Time // start of the last read that succeeded
	tried     time.Time // start of the last read to refresh what was kept too long
	forced    time.Time // start of the last forced read
	forcedErr error     // its outcome
	reading   flight[WebhookSecrets]
}

// Secrets returns the secrets, from memory where they are young enough, or where reading fails.
// An error means that there are none.
func (c *WebhookSecretCache) Secrets(ctx context.Context) (WebhookSecrets, error) {
	cached, refresh := c.lookup()
	if cached == (WebhookSecrets{}) {
		return c.reading.do(ctx, func(ctx context.Context) (WebhookSecrets, error) {
			if cached, _ := c.lookup(); cached != (WebhookSecrets{}) {
				return cached, nil
			}
			return c.read(ctx)
		})
	}
	if !refresh {
		return cached, nil
	}
	ctx, cancel := context.WithTimeout(ctx, webhookRefreshLimit)
	defer cancel()
	fresh, err := c.reading.do(ctx, c.read)
	if err != nil {
		return cached, nil
	}
	return fresh, nil
}

// lookup returns what is kept, and whether this caller is to refresh it.
func (c *WebhookSecretCache) lookup() (cached WebhookSecrets, refresh bool) {
	now := wallNow(c.Now)
	c.mu.Lock()
	defer c.mu.Unlock()
	refresh = now.Sub(c.readAt) >= webhookSecretAge && (c.tried.IsZero() || now.Sub(c.tried) >= webhookRenewInterval)
	if refresh && c.cached != (WebhookSecrets{}) {
		c.tried = now
	}
	return c.cached, refresh
}

// Renew returns secrets to try after a signature that fits none of the given ones: those that
// were read since, or those of a new read. changed is false when there are no others. Within
// 10 s of a forced read there is no other, and who asks gets that one's outcome, error included.
func (c *WebhookSecretCache) Renew(ctx context.Context, unfit WebhookSecrets) (s WebhookSecrets, changed bool, err error) {
	if cached, done, err := c.renewed(unfit); done {
		return cached, cached != unfit, err
	}
	s, err = c.reading.do(ctx, func(ctx context.Context) (WebhookSecrets, error) {
		if cached, done, err := c.renewed(unfit); done {
			return cached, err
		}
		start := wallNow(c.Now)
		fresh, err := c.read(ctx)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.forced, c.forcedErr = start, err
		return fresh, err
	})
	return s, err == nil && s != unfit, err
}

// renewed returns what is kept and the outcome of the last forced read, and whether they are all
// that Renew can offer now.
func (c *WebhookSecretCache) renewed(unfit WebhookSecrets) (cached WebhookSecrets, done bool, err error) {
	now := wallNow(c.Now)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cached != unfit {
		return c.cached, true, nil
	}
	if c.forced.IsZero() || now.Sub(c.forced) >= webhookRenewInterval {
		return WebhookSecrets{}, false, nil
	}
	return c.cached, true, c.forcedErr
}

func (c *WebhookSecretCache) read(ctx context.Context) (WebhookSecrets, error) {
	start := wallNow(c.Now)
	fresh, err := c.Read(ctx)
	if err == nil && fresh.Current == "" {
		// With an empty secret anyone could sign.
		err = ErrWebhookSecretMissing
	}
	if err != nil {
		return WebhookSecrets{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cached, c.readAt = fresh, start
	return fresh, nil
}

package didit

import (
	"context"
	"errors"
	"strings"
	"time"
)

// maxWebhookSecretBytes is far more than the 43 characters of Didit's.
const maxWebhookSecretBytes = 1024

// Errors of [ParseWebhookSecret], beside [ErrSecretEmpty] and [ErrSecretNotJSON]. They never quote
// the secret.
var (
	ErrWebhookSecretMissing = errors.New(`didit: the secret has no "webhook_secret"`)
	ErrWebhookSecretTooLong = errors.New(`didit: the secret's "webhook_secret" is longer than 1024 bytes`)
)

// ParseWebhookSecret reads a destination's secret from the JSON text of a secret,
// {"webhook_secret"}. Other members are ignored, and so is white space around the value. It returns
// [ErrSecretEmpty], [ErrSecretNotJSON], [ErrWebhookSecretMissing] or [ErrWebhookSecretTooLong].
func ParseWebhookSecret(text string) (string, error) {
	var fields struct {
		Secret string `json:"webhook_secret"`
	}
	if err := unmarshalSecret(text, &fields); err != nil {
		return "", err
	}
	secret := strings.TrimSpace(fields.Secret)
	switch {
	case secret == "":
		return "", ErrWebhookSecretMissing
	case len(secret) > maxWebhookSecretBytes:
		return "", ErrWebhookSecretTooLong
	}
	return secret, nil
}

// WebhookSecrets are the secrets that a destination's deliveries may be signed with: the current
// one and, during a rotation, the previous one. They print as redacted.
type WebhookSecrets struct {
	hidden
	Current  string
	Previous string // empty if there is none
	// PreviousUntil is the time from which on Previous is not accepted.
	PreviousUntil time.Time
}

// accepted lists the secrets to try, the likeliest first.
func (s WebhookSecrets) accepted(now time.Time) []string {
	secrets := []string{s.Current}
	if s.Previous != "" && now.Before(s.PreviousUntil) {
		secrets = append(secrets, s.Previous)
	}
	return secrets
}

const (
	// webhookSecretAge is how old the secrets become before they are read again.
	webhookSecretAge = 10 * time.Minute
	// webhookRenewInterval is the pause after a read that was forced, or that failed: anyone can
	// send a signature that does not match.
	webhookRenewInterval = 10 * time.Second
	// webhookRefreshTimeout bounds a read whose failure changes nothing: Didit waits 5 s for an
	// answer.
	webhookRefreshTimeout = time.Second
)

// WebhookSecretCache keeps a destination's secrets for 10 minutes. Concurrent callers share one
// read. A read that fails leaves what was kept before, however old that is, and is not tried again
// within 10 s unless nothing is kept. Set its fields before first use; it must not be copied after
// that.
type WebhookSecretCache struct {
	hidden
	// Read returns the secrets, with Current not empty. Callers get its errors. Required.
	Read func(ctx context.Context) (WebhookSecrets, error)
	// Now is the clock; nil means [time.Now].
	Now func() time.Time

	cache cache[WebhookSecrets]
}

// Secrets returns the secrets, from memory while they are young enough or if reading them fails. An
// error means that there are none.
func (c *WebhookSecretCache) Secrets(ctx context.Context) (WebhookSecrets, error) {
	return c.cache.get(ctx, c.source())
}

// Renew returns secrets to try after a signature that matches none of the given ones: those that
// were read since, or those of a new read. changed is false when there are no others. At most one
// read is forced every 10 s; callers in between share its result, error included.
func (c *WebhookSecretCache) Renew(ctx context.Context, unfit WebhookSecrets) (s WebhookSecrets, changed bool, err error) {
	s, _, err = c.cache.renew(ctx, c.source(), unfit)
	return s, err == nil && s != unfit, err
}

func (c *WebhookSecretCache) source() source[WebhookSecrets] {
	return source[WebhookSecrets]{
		read: c.read, now: c.Now, interval: webhookRenewInterval, failuresCount: true,
		maxAge: webhookSecretAge, refreshTimeout: webhookRefreshTimeout,
	}
}

func (c *WebhookSecretCache) read(ctx context.Context) (WebhookSecrets, error) {
	s, err := c.Read(ctx)
	if err == nil && s.Current == "" {
		// With an empty secret anyone could sign.
		err = ErrWebhookSecretMissing
	}
	return s, err
}

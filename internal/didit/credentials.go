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

// Credentials are what Didit issues to an application: a client id with its secret, which
// buy access tokens (Didit: Authentication), or an API key, which is sent as it is. An API key
// wins where both are there. They print as redacted.
type Credentials struct {
	ClientID     string
	ClientSecret string
	APIKey       string
}

// usesAPIKey reports whether requests carry x-api-key instead of a bearer token.
func (c Credentials) usesAPIKey() bool { return c.APIKey != "" }

// Errors of [ParseCredentials]. They never quote the secret.
var (
	ErrSecretEmpty      = errors.New("didit: the secret is empty")
	ErrSecretNotJSON    = errors.New("didit: the secret is not a JSON object of strings")
	ErrSecretIncomplete = errors.New(`didit: the secret has neither "client_id" with "client_secret" nor "api_key"`)
	ErrSecretMalformed  = errors.New("didit: the secret's API key holds characters that no HTTP header can carry")
)

// ParseCredentials reads credentials from a secret's text: {"client_id","client_secret"} or
// {"api_key"}, both strings; other members are ignored, and white space around a value is not
// part of it. It returns an error that wraps [ErrSecretEmpty], [ErrSecretNotJSON],
// [ErrSecretIncomplete] or [ErrSecretMalformed].
func ParseCredentials(secret string) (Credentials, error) {
	if strings.TrimSpace(secret) == "" {
		return Credentials{}, ErrSecretEmpty
	}
	var fields struct {
		ClientID     string `json:"client_id"`
		ClientSecret string `json:"client_secret"`
		APIKey       string `json:"api_key"`
	}
	if err := json.Unmarshal(bytes.TrimPrefix([]byte(secret), []byte("\ufeff")), &fields); err != nil {
		// The decoder's own text may quote the secret.
		return Credentials{}, ErrSecretNotJSON
	}
	c := Credentials{
		ClientID:     strings.TrimSpace(fields.ClientID),
		ClientSecret: strings.TrimSpace(fields.ClientSecret),
		APIKey:       strings.TrimSpace(fields.APIKey),
	}
	if !headerText(c.APIKey) {
		return Credentials{}, ErrSecretMalformed
	}
	if !c.usesAPIKey() && (c.ClientID == "" || c.ClientSecret == "") {
		return Credentials{}, ErrSecretIncomplete
	}
	return c, nil
}

// CredentialSource hands out the application's credentials. Implementations are safe for
// concurrent use; their errors reach the caller of a [Client] unchanged.
type CredentialSource interface {
	// Credentials returns the credentials in force, from memory where possible.
	Credentials(ctx context.Context) (Credentials, error)
	// Renew returns credentials to try after Didit has refused the given ones. renewed is
	// false when there are none yet: they were read so recently that reading again would
	// only hammer the store.
	Renew(ctx context.Context, refused Credentials) (c Credentials, renewed bool, err error)
}

// renewInterval is how long after a forced read of a secret the next one is allowed, so that
// a secret that is wrong for good does not turn every call into a read.
const renewInterval = 30 * time.Second

// CredentialCache is a [CredentialSource] that keeps what it read until Didit refuses it.
// Concurrent callers share one read. A read that failed, or whose text holds no credentials,
// is not remembered: what was cached before stays, and the next caller reads again. It must
// not be copied after first use.
type CredentialCache struct {
	// Read returns the secret's text; see [ParseCredentials] for its form. Required.
	Read func(ctx context.Context) (string, error)
	// Invalid turns an error of [ParseCredentials] into the error that callers get. Nil
	// leaves it as it is.
	Invalid func(error) error
	// Now is the clock; nil means [time.Now].
	Now func() time.Time

	mu      sync.Mutex
	cached  Credentials
	forced  time.Time // start of the last forced read that succeeded
	reading flight[Credentials]
}

// Credentials returns the cached credentials, or reads them.
func (c *CredentialCache) Credentials(ctx context.Context) (Credentials, error) {
	if cached := c.current(); cached != (Credentials{}) {
		return cached, nil
	}
	return c.reading.do(ctx, func(ctx context.Context) (Credentials, error) {
		if cached := c.current(); cached != (Credentials{}) {
			return cached, nil
		}
		return c.read(ctx)
	})
}

// Renew reads the secret again, unless it was already replaced since refused was handed out.
// After a forced read the next one is allowed 30 seconds later.
func (c *CredentialCache) Renew(ctx context.Context, refused Credentials) (Credentials, bool, error) {
	if cached, done := c.renewed(refused); done {
		return cached, cached != refused, nil
	}
	renewed, err := c.reading.do(ctx, func(ctx context.Context) (Credentials, error) {
		if cached, done := c.renewed(refused); done {
			return cached, nil
		}
		start := wallNow(c.Now)
		fresh, err := c.read(ctx)
		if err == nil {
			c.mu.Lock()
			c.forced = start
			c.mu.Unlock()
		}
		return fresh, err
	})
	return renewed, err == nil, err
}

// renewed returns the cached credentials and whether they are all that Renew can offer now.
func (c *CredentialCache) renewed(refused Credentials) (Credentials, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	recently := !c.forced.IsZero() && wallNow(c.Now).Sub(c.forced) < renewInterval
	return c.cached, recently || c.cached != refused
}

func (c *CredentialCache) current() Credentials {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cached
}

func (c *CredentialCache) read(ctx context.Context) (Credentials, error) {
	text, err := c.Read(ctx)
	if err != nil {
		return Credentials{}, err
	}
	fresh, err := ParseCredentials(text)
	if err != nil {
		if c.Invalid != nil {
			err = c.Invalid(err)
		}
		return Credentials{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cached = fresh
	return fresh, nil
}

// wallNow reads the clock without its monotonic part: Lambda freezes a process between
// invocations, and the monotonic clock may stop with it.
func wallNow(now func() time.Time) time.Time {
	if now == nil {
		now = time.Now
	}
	return now().Round(0)
}

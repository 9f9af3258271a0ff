package didit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// Credentials are an application's at Didit: a client id with its secret, which are exchanged for
// access tokens (Didit: Authentication), or an API key, which is sent as it is. If both are set,
// the API key is used. They print as redacted.
type Credentials struct {
	hidden
	ClientID     string
	ClientSecret string
	APIKey       string
}

// usesAPIKey reports whether requests have the API key instead of a bearer token.
func (c Credentials) usesAPIKey() bool { return c.APIKey != "" }

// Errors of [ParseCredentials]. They never quote the secret.
var (
	ErrSecretEmpty      = errors.New("didit: the secret is empty")
	ErrSecretNotJSON    = errors.New("didit: the secret is not a JSON object of strings")
	ErrSecretIncomplete = errors.New(`didit: the secret has neither "client_id" with "client_secret" nor "api_key"`)
	ErrSecretMalformed  = errors.New("didit: the secret's API key has characters that an HTTP header cannot have")
)

// ParseCredentials reads credentials from the JSON text of a secret: {"client_id","client_secret"}
// or {"api_key"}, all of them strings. Other members are ignored, and so is white space around a
// value. It returns [ErrSecretEmpty], [ErrSecretNotJSON], [ErrSecretIncomplete] or
// [ErrSecretMalformed].
func ParseCredentials(secret string) (Credentials, error) {
	var fields struct {
		ClientID     string `json:"client_id"`
		ClientSecret string `json:"client_secret"`
		APIKey       string `json:"api_key"`
	}
	if err := unmarshalSecret(secret, &fields); err != nil {
		return Credentials{}, err
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

// unmarshalSecret reads the JSON text of a secret. Its errors do not quote the secret, as those of
// encoding/json may.
func unmarshalSecret(secret string, fields any) error {
	if strings.TrimSpace(secret) == "" {
		return ErrSecretEmpty
	}
	if json.Unmarshal(bytes.TrimPrefix([]byte(secret), []byte("\ufeff")), fields) != nil {
		return ErrSecretNotJSON
	}
	return nil
}

// CredentialSource returns the application's credentials. Implementations are safe for concurrent
// use; a [Client] returns their errors unchanged.
type CredentialSource interface {
	// Credentials returns the current credentials, from memory where possible.
	Credentials(ctx context.Context) (Credentials, error)
	// Renew returns credentials to try after Didit has refused the given ones. renewed is false if
	// there are no others, because they were read only a short time ago.
	Renew(ctx context.Context, refused Credentials) (c Credentials, renewed bool, err error)
}

// renewInterval is the pause after a forced read of the secret, so that a secret that stays wrong
// is not read again on every call.
const renewInterval = 30 * time.Second

// CredentialCache is a [CredentialSource] that keeps the credentials until Didit refuses them.
// Concurrent callers share one read. A read that failed, or whose text holds no credentials, leaves
// what was cached before, and the next caller reads again. It must not be copied after first use.
type CredentialCache struct {
	hidden
	// Read returns the secret's text; see [ParseCredentials] for its form. Required.
	Read func(ctx context.Context) (string, error)
	// Invalid turns an error of [ParseCredentials] into the error that callers get. Nil leaves it
	// as it is.
	Invalid func(error) error
	// Now is the clock; nil means [time.Now].
	Now func() time.Time

	cache cache[Credentials]
}

// Credentials returns the cached credentials, or reads them.
func (c *CredentialCache) Credentials(ctx context.Context) (Credentials, error) {
	return c.cache.get(ctx, c.source())
}

// Renew reads the secret again, unless it was read since refused was returned. After a forced read
// the next one is allowed 30 seconds later.
func (c *CredentialCache) Renew(ctx context.Context, refused Credentials) (Credentials, bool, error) {
	return c.cache.renew(ctx, c.source(), refused)
}

func (c *CredentialCache) source() source[Credentials] {
	return source[Credentials]{read: c.read, now: c.Now, interval: renewInterval}
}

func (c *CredentialCache) read(ctx context.Context) (Credentials, error) {
	secret, err := c.Read(ctx)
	if err != nil {
		return Credentials{}, err
	}
	credentials, err := ParseCredentials(secret)
	if err != nil && c.Invalid != nil {
		err = c.Invalid(err)
	}
	return credentials, err
}

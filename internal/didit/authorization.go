package didit

import (
	"context"
	"errors"
	"net/http"
)

// authorization is the proof of its sender that a request has.
type authorization struct {
	hidden
	creds     Credentials
	token     string // empty with an API key
	requested bool   // this very call requested the token at Didit
	shared    bool   // another instance requested it
}

func (a authorization) set(h http.Header) {
	if a.creds.usesAPIKey() {
		h.Set("X-Api-Key", a.creds.APIKey)
		return
	}
	h.Set("Authorization", "Bearer "+a.token)
}

// authorize returns the authorization of a request that follows at once: what must be written of
// the shared token is written beside it.
func (c *Client) authorize(ctx context.Context, creds Credentials) (authorization, error) {
	c.Shared.writeBeside(ctx)
	return c.authorizeBy(ctx, creds, func(ctx context.Context, creds Credentials) (accessToken, error) {
		token, err := c.newToken(ctx, creds)
		c.Shared.writeBeside(ctx)
		return token, err
	})
}

// authorizeBy gets a token that is missing from newToken.
func (c *Client) authorizeBy(
	ctx context.Context, creds Credentials, newToken func(context.Context, Credentials) (accessToken, error),
) (authorization, error) {
	if c.Shared != nil {
		c.Shared.idle.Store(creds.usesAPIKey())
	}
	if creds.usesAPIKey() {
		return authorization{creds: creds}, nil
	}
	token, requested, err := c.tokens.get(ctx, creds, c.Now, func(ctx context.Context) (accessToken, error) {
		return newToken(ctx, creds)
	})
	if isContextError(err) {
		err = &Error{Kind: KindTimeout, Op: opToken, Reason: "no time left"}
	}
	return authorization{creds: creds, token: token.value, requested: requested, shared: token.shared}, err
}

// withAuthorization makes a call with an access token, or with the API key.
func (c *Client) withAuthorization(ctx context.Context, call func(context.Context, authorization) error) error {
	_, settle := c.readAhead(ctx)
	defer settle()
	return c.withCredentials(ctx, c.authorize, call)
}

// withCredentials makes a call with what authorize makes of the credentials. If Didit refuses the
// credentials, it drops the token, reads the secret again, requests a new token and makes the call
// once more. While it is too early to read the secret again, a call still makes the one token
// request that a revoked token needs. If the token for the second attempt was a shared one and is
// refused as well, it makes a third. call returns an error of [KindCredentialsRejected] for a
// refusal.
func (c *Client) withCredentials(
	ctx context.Context, authorize func(context.Context, Credentials) (authorization, error), call func(context.Context, authorization) error,
) error {
	creds, err := c.Credentials.Credentials(ctx)
	if err != nil {
		return err
	}
	began := c.repairs.Load()
	auth, err := authorize(ctx, creds)
	if err == nil {
		err = call(ctx, auth)
		c.dropIfRefused(auth, err)
	}
	if !isRefusal(err) {
		return err
	}

	c.repairs.Add(1)
	creds, renewed, renewErr := c.Credentials.Renew(ctx, creds)
	if renewErr != nil {
		return renewErr
	}
	// If another call repairs the same refusal, it has a new token, or soon will, which this call
	// may share.
	alone := c.repairs.Load() == began+1
	if !renewed && (auth.creds.usesAPIKey() || auth.requested && alone) {
		return err
	}
	for range 2 {
		if auth, err = authorize(ctx, creds); err != nil {
			return err
		}
		err = call(ctx, auth)
		c.dropIfRefused(auth, err)
		if !isRefusal(err) || !auth.shared {
			return err
		}
	}
	return err
}

func (c *Client) dropIfRefused(auth authorization, err error) {
	if isRefusal(err) {
		c.tokens.drop(auth.token)
	}
}

func isRefusal(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Kind == KindCredentialsRejected
}

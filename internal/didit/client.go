package didit

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Didit's origins (Didit: Create session; Didit: Authentication).
const (
	DefaultAuthURL = "https://apx.didit.me"
	DefaultAPIURL  = "https://verification.didit.me"
)

// answerLimit is how much of an answer is read, unless the exchange says otherwise. Didit's
// answers about tokens and new sessions are a few kilobytes.
const answerLimit = 2 << 20

// Version is a version of Didit's session API.
type Version string

// The versions that this package speaks.
const (
	V2 Version = "v2"
	V3 Version = "v3"
)

// Client calls Didit. Set its fields before first use and leave them alone then; it is safe
// for concurrent use and must not be copied.
type Client struct {
	// Credentials are the application's. Required.
	Credentials CredentialSource
	// Tokens keeps the access token; nil means a cache of the client's own.
	Tokens *TokenCache
	// AuthURL and APIURL are the origins of the token endpoint and of the session API, with a
	// path prefix where there is one; empty means [DefaultAuthURL] and [DefaultAPIURL].
	AuthURL, APIURL string
	// Version is the session API's; empty means v3 for an API key and v2 for client
	// credentials.
	Version Version
	// Transport carries the requests; nil means [NewTransport]. Redirects are never
	// followed, whatever it is.
	Transport http.RoundTripper
	// AttemptTimeout is the longest that one attempt of a request may take; zero means 10 s.
	AttemptTimeout time.Duration
	// Observe, if set, is told of every attempt after its end, from the goroutine that made
	// it and with the context of the call that caused it.
	Observe func(ctx context.Context, a Attempt)
	// Now is the clock; nil means [time.Now].
	Now func() time.Time

	once      sync.Once
	transport http.RoundTripper
	opener    *opener // of a transport of our own
	tokens    *TokenCache
	repairs   atomic.Uint64 // calls that were refused and asked for other credentials
}

// Attempt describes one upstream request. It holds nothing secret.
type Attempt struct {
	Op       string        // "token", "create_session" or "decision"
	Number   int           // from 1
	Status   int           // HTTP status, 0 where no answer came
	Reason   string        // why it failed, in fixed words; empty for a success
	Duration time.Duration // from its start to the end of the answer
}

// Operations, as they are named in errors and attempts.
const (
	opToken         = "token"
	opCreateSession = "create_session"
	opDecision      = "decision"
)

func (c *Client) setup() {
	c.once.Do(func() {
		c.transport, c.tokens = c.Transport, c.Tokens
		if c.transport == nil {
			c.transport, c.opener = newTransport(c.Now)
		}
		if c.tokens == nil {
			c.tokens = new(TokenCache)
		}
	})
}

func (c *Client) authURL() string { return origin(c.AuthURL, DefaultAuthURL) }
func (c *Client) apiURL() string  { return origin(c.APIURL, DefaultAPIURL) }

func origin(configured, standard string) string {
	if configured == "" {
		return standard
	}
	return strings.TrimRight(configured, "/")
}

func (c *Client) version(creds Credentials) Version {
	switch {
	case c.Version != "":
		return c.Version
	case creds.usesAPIKey():
		return V3
	default:
		return V2
	}
}

// authorization is what one request proves its sender with.
type authorization struct {
	creds     Credentials
	token     string // empty with an API key
	requested bool   // the token was asked for by this very call
}

func (a authorization) set(h http.Header) {
	if a.creds.usesAPIKey() {
		h.Set("X-Api-Key", a.creds.APIKey)
		return
	}
	h.Set("Authorization", "Bearer "+a.token)
}

func (c *Client) authorize(ctx context.Context, creds Credentials) (authorization, error) {
	if creds.usesAPIKey() {
		return authorization{creds: creds}, nil
	}
	token, requested, err := c.tokens.get(ctx, creds, c.Now, func(ctx context.Context) (accessToken, error) {
		return c.requestToken(ctx, creds)
	})
	if isContextError(err) {
		err = &Error{Kind: KindTimeout, Op: opToken, Reason: "no time left"}
	}
	return authorization{creds: creds, token: token.value, requested: requested}, err
}

// withAuthorization makes a call and repairs refused credentials once: the token is dropped,
// the secret read again, a new token asked for, and the call made once more. While the secret
// was read too recently for that, a call still makes the one token request that a revoked
// token needs. call returns an error of [KindCredentialsRejected] for a refusal.
func (c *Client) withAuthorization(ctx context.Context, call func(context.Context, authorization) error) error {
	creds, err := c.Credentials.Credentials(ctx)
	if err != nil {
		return err
	}
	began := c.repairs.Load()
	auth, err := c.authorize(ctx, creds)
	if err == nil {
		err = call(ctx, auth)
		c.forget(auth, err)
	}
	if !refused(err) {
		return err
	}

	c.repairs.Add(1)
	creds, renewed, renewErr := c.Credentials.Renew(ctx, creds)
	if renewErr != nil {
		return renewErr
	}
	// Where another call repairs the same refusal, it has a new token, or is about to, which
	// this call may share.
	alone := c.repairs.Load() == began+1
	if !renewed && (creds.usesAPIKey() || auth.requested && alone) {
		return err
	}
	auth, err = c.authorize(ctx, creds)
	if err != nil {
		return err
	}
	err = call(ctx, auth)
	c.forget(auth, err)
	return err
}

// forget drops the token of a refused call.
func (c *Client) forget(auth authorization, err error) {
	if refused(err) {
		c.tokens.drop(auth.token)
	}
}

func refused(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Kind == KindCredentialsRejected
}

// answer is an upstream answer, read whole.
type answer struct {
	op     string
	status int
	header http.Header
	body   []byte
	asked  time.Time // wall clock, before the request
}

// exchange is one request that may be made more than once.
type exchange struct {
	op         string
	repeatable bool // a repetition cannot make a second session
	limit      int  // bytes of an answer; 0 means answerLimit
	build      func(context.Context) (*http.Request, error)
	read       func(answer) error // nil for a success, else an [*Error]
}

// exchange makes the request, again where [outcome.repeat] says so. Every error it returns is
// an [*Error].
func (c *Client) exchange(ctx context.Context, x exchange) error {
	for number := 1; ; number++ {
		fresh := !x.repeatable || number > 1
		failure, reached := c.attempt(ctx, x, number, fresh)
		if failure == nil {
			return nil
		}
		again, _ := outcome{
			number: number, kind: failure.Kind, status: failure.Status, advised: failure.RetryAfter > 0,
			reached: reached, repeatable: x.repeatable, left: c.timeLeft(ctx),
		}.repeat()
		if !again || !wait(ctx, pause()) {
			return failure
		}
	}
}

// attempt makes the request once. reached reports whether it may have reached Didit.
func (c *Client) attempt(ctx context.Context, x exchange, number int, fresh bool) (failure *Error, reached bool) {
	start := time.Now()
	asked := wallNow(c.Now)
	use, a, err := c.overLiving(ctx, x, number, fresh)
	a.op, a.asked = x.op, asked
	if err != nil {
		failure = networkError(x.op, err)
	} else if err := x.read(a); err != nil {
		failure = asError(x.op, err)
	}
	if failure != nil && (failure.Kind == KindThrottled || failure.Kind == KindUnavailable) {
		failure.RetryAfter = retryAfter(a.header, wallNow(c.Now))
	}
	if c.Observe != nil {
		seen := Attempt{Op: x.op, Number: number, Status: a.status, Duration: time.Since(start)}
		if failure != nil {
			seen.Reason = failure.reason()
		}
		c.Observe(ctx, seen)
	}
	return failure, use.reached.Load()
}

// overLiving is roundTrip over a connection that is not found dead. Each turn of the loop takes a dead
// one out of the pool, and none sends anything, so it makes one attempt.
func (c *Client) overLiving(ctx context.Context, x exchange, number int, fresh bool) (use *connUse, a answer, err error) {
	for {
		use = &connUse{fresh: fresh}
		a, err = c.roundTrip(ctx, x, number, use)
		// net/http takes another connection by itself, but not for a POST where it noticed the end of
		// the old one at the same moment.
		if err == nil || !use.dead.Load() || use.reached.Load() {
			return use, a, err
		}
	}
}

func (c *Client) roundTrip(ctx context.Context, x exchange, number int, use *connUse) (answer, error) {
	left := c.timeLeft(ctx)
	if left <= 0 {
		return answer{}, context.DeadlineExceeded
	}
	ctx, cancel := context.WithTimeout(ctx, limit(number, x.repeatable, left, c.attemptTimeout()))
	defer cancel()
	request, err := x.build(use.trace(ctx))
	if err != nil {
		return answer{}, err
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "didit-sessions")
	// A RoundTripper follows no redirect, which would lose the credentials on the way.
	response, err := c.transport.RoundTrip(request)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	a := answer{status: response.StatusCode, header: response.Header}
	most := x.limit
	if most == 0 {
		most = answerLimit
	}
	a.body, err = io.ReadAll(io.LimitReader(response.Body, int64(most)+1))
	if err == nil && len(a.body) > most {
		err = errTooLong
	}
	if err != nil && a.status >= 400 {
		// The status says what matters, but for a 400, whose body does.
		a.body, err = nil, nil
	}
	return a, err
}

func (c *Client) attemptTimeout() time.Duration {
	if c.AttemptTimeout > 0 {
		return c.AttemptTimeout
	}
	return attemptLimit
}

// timeLeft is how long the context lasts; without a deadline, long enough for everything.
func (c *Client) timeLeft(ctx context.Context) time.Duration {
	if ctx.Err() != nil {
		return 0
	}
	deadline, ok := ctx.Deadline()
	if !ok {
		return mostAttempts * c.attemptTimeout()
	}
	return time.Until(deadline)
}

// wait returns false when the context ends first.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

package didit

import (
	"bytes"
	"context"
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

// Version is a version of Didit's session API.
type Version string

// The supported versions.
const (
	V2 Version = "v2"
	V3 Version = "v3"
)

// Client calls Didit. Set its fields before first use and do not change them after that; it is safe
// for concurrent use and must not be copied.
type Client struct {
	// Credentials are the application's. Required.
	Credentials CredentialSource
	// Tokens keeps the access token; nil means a cache of the client's own.
	Tokens *TokenCache
	// Shared, if set, shares the access token with other clients. An API key has no use for it.
	Shared *SharedToken
	// AuthURL and APIURL are the origins of the token endpoint and of the session API, with a path
	// prefix if there is one; empty means [DefaultAuthURL] and [DefaultAPIURL].
	AuthURL, APIURL string
	// Version is the session API's; empty means v3 for an API key and v2 for client credentials.
	Version Version
	// Transport sends the requests; nil means [NewTransport]. Redirects are not followed.
	Transport http.RoundTripper
	// AttemptTimeout is the longest that one attempt of a request may take; zero means 10 s.
	AttemptTimeout time.Duration
	// UserAgent names the program to Didit; empty means didit-sessions.
	UserAgent string
	// Observe, if set, is called after every attempt, from the goroutine that made it and with the
	// context of the call that caused it.
	Observe func(ctx context.Context, a Attempt)
	// Pace bounds how often ListSessions, DeleteSession and DeleteUser send a request; nil means a
	// pace of the client's own.
	Pace *Pace
	// Now is the clock; nil means [time.Now].
	Now func() time.Time

	once      sync.Once
	transport http.RoundTripper
	ahead     *ahead       // of a transport of our own
	used      atomic.Int64 // when the session API last answered, Unix nanoseconds of the wall clock
	tokens    *TokenCache
	pace      *Pace
	repairs   atomic.Uint64 // calls that were refused and asked for other credentials
}

// Attempt describes one request to Didit. It has nothing secret in it.
type Attempt struct {
	Op       string        // "token", "create_session", "decision", "list_sessions", "delete_session" or "delete_user"
	Status   int           // HTTP status, 0 if no answer came
	Duration time.Duration // from its start to the end of the answer
}

// Operations, as they are named in errors and attempts.
const (
	opToken         = "token"
	opCreateSession = "create_session"
	opDecision      = "decision"
	opListSessions  = "list_sessions"
	opDeleteSession = "delete_session"
	opDeleteUser    = "delete_user"
)

func (c *Client) setup() {
	c.once.Do(func() {
		c.transport, c.tokens = c.Transport, c.Tokens
		if c.transport == nil {
			own := NewTransport()
			c.transport, c.ahead = own, newAhead(own, c.Now)
		}
		if c.tokens == nil {
			c.tokens = new(TokenCache)
		}
		if c.pace = c.Pace; c.pace == nil {
			c.pace = new(Pace)
		}
	})
}

func (c *Client) authURL() string { return origin(c.AuthURL, DefaultAuthURL) }
func (c *Client) apiURL() string  { return origin(c.APIURL, DefaultAPIURL) }

func origin(configured, fallback string) string {
	if configured == "" {
		return fallback
	}
	return strings.TrimRight(configured, "/")
}

// APIVersion returns the version of the session API that the client calls. It reads the credentials
// if they decide and are not in memory, and returns the error of their source.
func (c *Client) APIVersion(ctx context.Context) (Version, error) {
	if c.Version != "" {
		return c.Version, nil
	}
	creds, err := c.Credentials.Credentials(ctx)
	return c.version(creds), err
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

// call makes an exchange with the session API, with the application's credentials. The path follows
// the version; the body is JSON, or nil.
func (c *Client) call(ctx context.Context, method, path string, body []byte, x exchange) error {
	c.setup()
	return c.withAuthorization(ctx, func(ctx context.Context, auth authorization) error {
		x.build = c.request(method, "/"+string(c.version(auth.creds))+path, body, auth)
		return c.send(ctx, x)
	})
}

// request returns what builds the request of each attempt.
func (c *Client) request(method, path string, body []byte, auth authorization) func(context.Context) (*http.Request, error) {
	return func(ctx context.Context) (*http.Request, error) {
		r, err := http.NewRequestWithContext(ctx, method, c.apiURL()+path, bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		if body != nil {
			r.Header.Set("Content-Type", "application/json")
		}
		auth.set(r.Header)
		return r, nil
	}
}

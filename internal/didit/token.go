package didit

import (
	"context"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"didit-sessions/internal/strictjson"
)

// Lifetimes of access tokens.
const (
	// defaultLifetime is used if Didit's answer names none (Didit: Create session, "The
	// access_token is valid for 24 hours").
	defaultLifetime = 24 * time.Hour
	// maxLifetime keeps an absurd number in an answer from overflowing a duration.
	maxLifetime = 365 * 24 * time.Hour
	// earlyRenewal is how long before its end a token is renewed while it is still valid.
	earlyRenewal = 5 * time.Minute
	// earlyRenewalPause keeps a failing token endpoint from getting a request on every call.
	earlyRenewalPause = 30 * time.Second
)

// accessToken is a bearer token and its lifetime.
type accessToken struct {
	hidden
	value    string
	received time.Time // wall clock, before the request for it
	lifetime time.Duration
	renewAt  time.Duration // age from which on it is renewed while it is still valid
	shared   bool          // it was found in the store
}

// setLifetime also chooses when the token is renewed. Jitter keeps the instances that started
// together from renewing together.
func (t *accessToken) setLifetime(d time.Duration) {
	early := min(earlyRenewal, d/5)
	t.lifetime, t.renewAt = d, d-time.Duration(float64(early)*(0.5+rand.Float64()/2))
}

// isValid reports whether the token may still be sent. A clock that is set back does not prolong it
// by more than that step.
func (t accessToken) isValid(now time.Time) bool {
	return t.value != "" && now.Sub(t.received) < t.lifetime
}

func (t accessToken) isAging(now time.Time) bool { return now.Sub(t.received) >= t.renewAt }

// TokenCache keeps one access token across calls. The zero value is empty and ready; it is safe for
// concurrent use and must not be copied. Make it a package-level variable of a Lambda function, so
// that the token survives warm invocations.
type TokenCache struct {
	hidden
	mu      sync.Mutex
	token   accessToken
	owner   Credentials // whose token it is
	renewed time.Time   // start of the last early renewal
	refused string      // the token that Didit refused last

	requests      *flight[accessToken] // nil before the first
	requestsOwner Credentials          // whose token they ask for
}

// get returns a token for the given credentials: the cached one, or one from fetch, which
// concurrent callers share. requested reports whether this caller waited for fetch, and it did not
// find a shared token.
func (t *TokenCache) get(ctx context.Context, owner Credentials, now func() time.Time, fetch func(context.Context) (accessToken, error)) (token accessToken, requested bool, err error) {
	token, renew := t.lookup(owner, wallNow(now))
	if token.value != "" {
		if renew {
			// No caller waits for an early renewal. A failure does not matter: the current token is
			// still valid.
			background := context.WithoutCancel(ctx)
			go func() { _, _ = t.fetch(background, owner, fetch) }()
		}
		return token, false, nil
	}
	token, err = t.fetch(ctx, owner, func(ctx context.Context) (accessToken, error) {
		if token, _ := t.lookup(owner, wallNow(now)); token.value != "" {
			return token, nil
		}
		return fetch(ctx)
	})
	return token, !token.shared, err
}

func (t *TokenCache) lookup(owner Credentials, now time.Time) (token accessToken, renew bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.owner != owner || !t.token.isValid(now) {
		return accessToken{}, false
	}
	renew = t.token.isAging(now) && now.Sub(t.renewed) >= earlyRenewalPause
	if renew {
		t.renewed = now
	}
	return t.token, renew
}

func (t *TokenCache) fetch(ctx context.Context, owner Credentials, fetch func(context.Context) (accessToken, error)) (accessToken, error) {
	return t.requestsOf(owner).do(ctx, func(ctx context.Context) (accessToken, error) {
		token, err := fetch(ctx)
		if err == nil {
			t.keep(owner, token)
		}
		return token, err
	})
}

func (t *TokenCache) keep(owner Credentials, token accessToken) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.token, t.owner = token, owner
}

// requestsOf returns the requests for a token of these credentials. After a rotation, requests with
// the previous ones may still be under way; their callers hold them.
func (t *TokenCache) requestsOf(owner Credentials) *flight[accessToken] {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.requests == nil || t.requestsOwner != owner {
		t.requests, t.requestsOwner = new(flight[accessToken]), owner
	}
	return t.requests
}

// isEmpty reports whether there is no token, valid or not.
func (t *TokenCache) isEmpty() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.token.value == ""
}

// wants reports whether a shared token is better than the one in memory: that is not valid, or both
// are and it is to be renewed later. One that Didit refused is not wanted.
func (t *TokenCache) wants(owner Credentials, shared accessToken, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if shared.value == t.refused || !shared.isValid(now) {
		return false
	}
	return t.owner != owner || !t.token.isValid(now) || shared.value != t.token.value && !shared.isAging(now)
}

// drop forgets a token that Didit refused, unless another has taken its place.
func (t *TokenCache) drop(refused string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refused = refused
	if t.token.value == refused {
		t.token = accessToken{}
	}
}

const tokenPath = "/auth/v2/token/"

// requestToken gets an access token for client credentials (Didit: Authentication): Basic
// authentication, and a form with the grant type.
func (c *Client) requestToken(ctx context.Context, creds Credentials) (accessToken, error) {
	var token accessToken
	err := c.send(ctx, exchange{
		op:        opToken,
		retryable: true, // an unused token costs nothing
		build: func(ctx context.Context) (*http.Request, error) {
			r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.authURL()+tokenPath,
				strings.NewReader("grant_type=client_credentials"))
			if err != nil {
				return nil, err
			}
			r.SetBasicAuth(creds.ClientID, creds.ClientSecret)
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			return r, nil
		},
		read: func(a answer) (err error) {
			if err = tokenRefusal(a); err == nil {
				token, err = parseToken(a)
			}
			return err
		},
	})
	return token, err
}

// parseToken reads a token endpoint's success. Numbers may be written as strings.
func parseToken(a answer) (accessToken, error) {
	document, ok := a.document()
	if !ok {
		return accessToken{}, a.unreadable("not JSON")
	}
	token := accessToken{value: document.Get("access_token").Text(), received: a.asked}
	if token.value == "" || !headerText(token.value) {
		return accessToken{}, a.unreadable("no usable access token")
	}
	token.setLifetime(tokenLifetime(document.Get("expires_in"), document.Get("iat"), document.Get("exp")))
	return token, nil
}

// tokenLifetime returns the smaller of expires_in and exp − iat, which differ in Didit's own
// example. Neither is compared with the clock: that example is of 2021.
func tokenLifetime(expiresIn, iat, exp strictjson.Value) time.Duration {
	seconds := math.Inf(1)
	if n, ok := float(expiresIn); ok {
		seconds = n
	}
	issued, hasIssued := float(iat)
	expires, hasExpires := float(exp)
	if hasIssued && hasExpires {
		seconds = min(seconds, expires-issued)
	}
	if math.IsInf(seconds, 1) {
		return defaultLifetime
	}
	seconds = max(0, min(seconds, maxLifetime.Seconds()))
	return time.Duration(seconds * float64(time.Second))
}

// headerText reports whether a header can have the text: visible ASCII without spaces.
func headerText(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

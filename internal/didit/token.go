package didit

import (
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Lifetimes of access tokens.
const (
	// defaultLifetime holds where Didit's answer names none (Didit: Create session, "The
	// access_token is valid for 24 hours").
	defaultLifetime = 24 * time.Hour
	// longestLifetime keeps an absurd number in an answer from overflowing a duration.
	longestLifetime = 365 * 24 * time.Hour
	// earlyRenewal is how long before its end a token is renewed while it still serves.
	earlyRenewal = 5 * time.Minute
	// earlyRenewalPause keeps a token endpoint in trouble from being asked on every call.
	earlyRenewalPause = 30 * time.Second
)

// accessToken is a bearer token with the time for which it serves.
type accessToken struct {
	value    string
	received time.Time // wall clock, taken before it was asked for
	lifetime time.Duration
	renewAt  time.Duration // age from which it is renewed while it still serves
}

// serves reports whether the token may still be sent. A clock set back does not prolong it by
// more than the step.
func (t accessToken) serves(now time.Time) bool {
	return t.value != "" && now.Sub(t.received) < t.lifetime
}

func (t accessToken) aging(now time.Time) bool { return now.Sub(t.received) >= t.renewAt }

// TokenCache keeps one access token across calls. The zero value is empty and ready; it is
// safe for concurrent use and must not be copied. Make it a package-level variable of a Lambda
// function, so that the token survives warm invocations.
type TokenCache struct {
	mu      sync.Mutex
	token   accessToken
	owner   Credentials // whose token it is
	tried   time.Time   // start of the last early renewal
	flights map[Credentials]*flight[accessToken]
}

// get returns a token of the given credentials: the cached one, or one from fetch, which
// concurrent callers share. requested reports whether this caller waited for fetch.
func (t *TokenCache) get(ctx context.Context, owner Credentials, now func() time.Time, fetch func(context.Context) (accessToken, error)) (token accessToken, requested bool, err error) {
	token, renew := t.lookup(owner, wallNow(now))
	if token.value != "" {
		if renew {
			// No caller waits for an early renewal, and its failure is nobody's: the
			// token at hand still serves.
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
	return token, true, err
}

func (t *TokenCache) lookup(owner Credentials, now time.Time) (token accessToken, renew bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.owner != owner || !t.token.serves(now) {
		return accessToken{}, false
	}
	renew = t.token.aging(now) && now.Sub(t.tried) >= earlyRenewalPause
	if renew {
		t.tried = now
	}
	return t.token, renew
}

func (t *TokenCache) fetch(ctx context.Context, owner Credentials, fetch func(context.Context) (accessToken, error)) (accessToken, error) {
	return t.flight(owner).do(ctx, func(ctx context.Context) (accessToken, error) {
		token, err := fetch(ctx)
		if err == nil {
			t.mu.Lock()
			t.token, t.owner = token, owner
			t.mu.Unlock()
		}
		return token, err
	})
}

// flight returns the flight of these credentials. Those of others may still be in the air
// after a rotation; their starters hold them.
func (t *TokenCache) flight(owner Credentials) *flight[accessToken] {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.flights[owner]
	if f == nil {
		f = new(flight[accessToken])
		t.flights = map[Credentials]*flight[accessToken]{owner: f}
	}
	return f
}

// drop forgets a token that Didit refused, unless another has taken its place.
func (t *TokenCache) drop(refused string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.token.value == refused {
		t.token = accessToken{}
	}
}

// requestToken buys an access token with client credentials (Didit: Authentication): Basic
// authentication, and a form with the grant type.
func (c *Client) requestToken(ctx context.Context, creds Credentials) (accessToken, error) {
	var token accessToken
	err := c.exchange(ctx, exchange{
		op: opToken,
		// A token that nobody receives costs nothing.
		repeatable: true,
		build: func(ctx context.Context) (*http.Request, error) {
			r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.authURL()+"/auth/v2/token/",
				strings.NewReader("grant_type=client_credentials"))
			if err != nil {
				return nil, err
			}
			r.SetBasicAuth(creds.ClientID, creds.ClientSecret)
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			return r, nil
		},
		read: func(a answer) error {
			if err := tokenRefusal(a); err != nil {
				return err
			}
			var err error
			token, err = parseToken(a, a.asked)
			return err
		},
	})
	return token, err
}

// parseToken reads a token endpoint's success. Numbers may be written as strings.
func parseToken(a answer, asked time.Time) (accessToken, error) {
	var fields struct {
		AccessToken string          `json:"access_token"`
		ExpiresIn   json.RawMessage `json:"expires_in"`
		IssuedAt    json.RawMessage `json:"iat"`
		Expires     json.RawMessage `json:"exp"`
	}
	if err := json.Unmarshal(a.body, &fields); err != nil {
		return accessToken{}, a.unreadable("not JSON")
	}
	if fields.AccessToken == "" || !headerText(fields.AccessToken) {
		return accessToken{}, a.unreadable("no usable access token")
	}
	token := accessToken{value: fields.AccessToken, received: asked}
	token.lifetime = tokenLifetime(fields.ExpiresIn, fields.IssuedAt, fields.Expires)
	early := min(earlyRenewal, token.lifetime/5)
	// Jitter keeps the instances that started together from renewing together.
	token.renewAt = token.lifetime - time.Duration(float64(early)*(0.5+rand.Float64()/2))
	return token, nil
}

// tokenLifetime is the smaller of expires_in and exp − iat, which differ in Didit's own
// example. Neither is compared with the clock: that example lies in 2021.
func tokenLifetime(expiresIn, issuedAt, expires json.RawMessage) time.Duration {
	seconds := math.Inf(1)
	if n, ok := number(expiresIn); ok {
		seconds = n
	}
	if iat, ok := number(issuedAt); ok {
		if exp, ok := number(expires); ok {
			seconds = min(seconds, exp-iat)
		}
	}
	if math.IsInf(seconds, 1) {
		return defaultLifetime
	}
	seconds = max(0, min(seconds, longestLifetime.Seconds()))
	return time.Duration(seconds * float64(time.Second))
}

// number reads a JSON number, or a string that holds one.
func number(raw json.RawMessage) (float64, bool) {
	var n json.Number
	if len(raw) == 0 || json.Unmarshal(raw, &n) != nil || n == "" {
		return 0, false
	}
	f, err := n.Float64()
	return f, err == nil
}

// headerText reports whether a header can carry the text: visible ASCII without spaces.
func headerText(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

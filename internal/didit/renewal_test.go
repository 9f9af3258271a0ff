package didit

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

var owner = Credentials{ClientID: "id-1", ClientSecret: "secret-1"}

// tokenFetcher counts its calls and hands out token-1, token-2 and so on, each for an hour and
// aging after 55 minutes.
type tokenFetcher struct {
	clock *clock
	calls int
	err   error
}

func (f *tokenFetcher) fetch(context.Context) (accessToken, error) {
	f.calls++
	if f.err != nil {
		return accessToken{}, f.err
	}
	return accessToken{hidden{}, fmt.Sprintf("token-%d", f.calls), f.clock.Now(), time.Hour, 55 * time.Minute, false}, nil
}

// An aging token is renewed beside the calls that it still serves, at most once in 30 s while
// that fails.
func TestTokenCache_earlyRenewal(t *testing.T) {
	t.Parallel()
	type step struct {
		at        time.Duration
		broken    bool
		wantToken string // what the call gets
		wantCalls int    // after whatever it started has ended
	}
	for name, steps := range map[string][]step{
		"renewed once": {
			{0, false, "token-1", 1}, {54 * time.Minute, false, "token-1", 1}, {55 * time.Minute, false, "token-1", 2},
			{55 * time.Minute, false, "token-2", 2}, {109 * time.Minute, false, "token-2", 2},
		},
		"failing": {
			{0, false, "token-1", 1}, {55 * time.Minute, true, "token-1", 2}, {55*time.Minute + 1, true, "token-1", 2},
			{55*time.Minute + 29*time.Second, true, "token-1", 2}, {55*time.Minute + 30*time.Second, true, "token-1", 3},
			{56 * time.Minute, false, "token-1", 4}, {56 * time.Minute, false, "token-4", 4},
		},
		"failing to its end": {
			{0, false, "token-1", 1}, {59 * time.Minute, true, "token-1", 2}, {60 * time.Minute, true, "", 3}, {60 * time.Minute, false, "token-4", 4},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := new(clock)
				fetcher, cache := &tokenFetcher{clock: c}, new(TokenCache)
				for i, s := range steps {
					c.offset.Store(int64(s.at))
					fetcher.err = nil
					if s.broken {
						fetcher.err = errStore
					}
					got, _, err := cache.get(t.Context(), owner, c.Now, fetcher.fetch)
					synctest.Wait()
					if got.value != s.wantToken || (err != nil) != (s.wantToken == "") || fetcher.calls != s.wantCalls {
						t.Errorf("step %d, at %v: got %q, %v after %d requests, want %q after %d", i, s.at, got.value, err, fetcher.calls, s.wantToken, s.wantCalls)
					}
				}
			})
		})
	}
}

// A caller that waited for a shared token did not request one: if it is refused, there is a request
// left to make.
func TestTokenCache_sharedToken(t *testing.T) {
	t.Parallel()
	c := new(clock)
	for _, shared := range []bool{false, true} {
		token := accessToken{value: "token", received: c.Now(), lifetime: time.Hour, renewAt: time.Hour, shared: shared}
		_, requested, err := new(TokenCache).get(t.Context(), owner, c.Now, func(context.Context) (accessToken, error) { return token, nil })
		if requested == shared || err != nil {
			t.Errorf("shared %v: got requested %v, error %v", shared, requested, err)
		}
	}
}

// The renewal outlives the call that started it, whose end must not cancel it.
func TestTokenCache_earlyRenewalIsDetached(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := new(clock)
		fetcher, cache := &tokenFetcher{clock: c}, new(TokenCache)
		if _, _, err := cache.get(t.Context(), owner, c.Now, fetcher.fetch); err != nil {
			t.Fatal(err)
		}
		c.advance(55 * time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		released := make(chan struct{})
		var ended error
		_, _, err := cache.get(ctx, owner, c.Now, func(ctx context.Context) (accessToken, error) {
			if deadline, ok := ctx.Deadline(); ok {
				t.Errorf("got the call's deadline %v for the renewal, want none", deadline)
			}
			<-released
			ended = ctx.Err()
			return fetcher.fetch(ctx)
		})
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		synctest.Wait()
		close(released)
		synctest.Wait()
		if ended != nil {
			t.Errorf("got a renewal ended by %v, want one that goes on", ended)
		}
		if got, _, err := cache.get(t.Context(), owner, c.Now, fetcher.fetch); err != nil || got.value != "token-2" {
			t.Errorf("after the renewal: got %q, %v, want token-2", got.value, err)
		}
	})
}

// A call answers while the token endpoint still thinks about the renewal.
func TestClient_earlyRenewalMakesNobodyWait(t *testing.T) {
	t.Parallel()
	asked, release := make(chan struct{}), make(chan struct{})
	fake := newFake(t, sequence(reply(200, `{"access_token":"token-1","expires_in":3600}`), func(w http.ResponseWriter, r *http.Request) {
		close(asked)
		<-release
		reply(200, `{"access_token":"token-2","expires_in":3600}`)(w, r)
	}), reply(201, okSession))
	c := new(clock)
	client := fake.client(t, newSecrets(c, pairSecret), c)
	renewed := make(chan struct{})
	client.Observe = func(_ context.Context, a Attempt) {
		if a.Op == "token" && c.Now() != clockStart {
			close(renewed)
		}
	}
	for range 3 {
		if _, err := client.CreateSession(t.Context(), named); err != nil {
			t.Fatal(err)
		}
		c.offset.Store(int64(time.Hour - time.Second))
	}
	<-asked // once: a second renewal would close the channel twice
	close(release)
	<-renewed
	tokens, posts := fake.asked()
	if len(tokens) != 2 || len(posts) != 3 {
		t.Fatalf("got %d token requests and %d POSTs, want 2 and 3", len(tokens), len(posts))
	}
	for i, post := range posts {
		if got := post.header.Get("Authorization"); got != "Bearer token-1" {
			t.Errorf("POST %d: got %q, want the token at hand", i+1, got)
		}
	}
}

// The renewal comes within the last fifth of a lifetime, at most 5 minutes before its end, and
// not at the same moment everywhere.
func TestParseToken_renewalTime(t *testing.T) {
	t.Parallel()
	for seconds, early := range map[int]time.Duration{86400: 5 * time.Minute, 3600: 5 * time.Minute, 100: 20 * time.Second, 0: 0} {
		lifetime := time.Duration(seconds) * time.Second
		moments := map[time.Duration]bool{}
		for range 50 {
			token, err := parseToken(answer{body: fmt.Appendf(nil, `{"access_token":"x","expires_in":%d}`, seconds)})
			if err != nil {
				t.Fatal(err)
			}
			moments[token.renewAt] = true
			if token.renewAt < lifetime-early || token.renewAt > lifetime-early/2 {
				t.Errorf("expires_in %d: got renewal at %v, want between %v and %v", seconds, token.renewAt, lifetime-early, lifetime-early/2)
			}
		}
		if seconds > 0 && len(moments) < 10 {
			t.Errorf("expires_in %d: got %d different moments in 50, want jitter", seconds, len(moments))
		}
	}
}

func TestTokenCache_drop(t *testing.T) {
	t.Parallel()
	c := new(clock)
	fetcher, cache := &tokenFetcher{clock: c}, new(TokenCache)
	for i, tt := range []struct{ drop, want string }{{"", "token-1"}, {"token-0", "token-1"}, {"token-1", "token-2"}, {"token-1", "token-2"}} {
		cache.drop(tt.drop)
		if got, _, err := cache.get(t.Context(), owner, c.Now, fetcher.fetch); err != nil || got.value != tt.want {
			t.Errorf("step %d, drop %q: got %q, %v, want %q", i, tt.drop, got.value, err, tt.want)
		}
	}
}

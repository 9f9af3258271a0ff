package didit

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// accept is a session endpoint that takes the given tokens and keys alone.
func accept(refusal http.HandlerFunc, good ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		sent := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ") + r.Header.Get("X-Api-Key")
		for _, g := range good {
			if sent == g {
				reply(201, okSession)(w, r)
				return
			}
		}
		refusal(w, r)
	}
}

// tokensFor is a token endpoint that takes one client secret alone and numbers its tokens.
func tokensFor(secret string) http.HandlerFunc {
	next := numberedTokens()
	return func(w http.ResponseWriter, r *http.Request) {
		if _, got, _ := r.BasicAuth(); got != secret {
			reply(401, `{"error":"invalid_client"}`)(w, r)
			return
		}
		next(w, r)
	}
}

// What refused credentials cost, call by call: reads of the secret, token requests, POSTs.
func TestClient_refusedCredentials(t *testing.T) {
	t.Parallel()
	type step struct {
		at                   time.Duration
		want                 Kind // or ok, or store
		reads, tokens, posts int  // by this call alone
	}
	const (
		ok    = Kind("")
		no    = KindCredentialsRejected
		store = Kind("store") // the source's own error
	)
	const pair2, key2 = `{"client_id":"id-1","client_secret":"secret-2"}`, `{"api_key":"key-2"}`
	refuse401, refuse403 := reply(401, ``), reply(403, `{"detail":"You do not have permission to perform this action."}`)
	tests := []struct {
		name           string
		secrets        []string
		token, session http.HandlerFunc
		steps          []step
	}{
		{"wrong for good at the session endpoint, 401", []string{pairSecret}, nil, refuse401, []step{
			{0, no, 2, 2, 2},
			{0, no, 0, 1, 1}, // nothing to repair with: the token was bought by this very call
			{29 * time.Second, no, 0, 1, 1},
			{30 * time.Second, no, 1, 2, 2},
			{31 * time.Second, no, 0, 1, 1},
			{60 * time.Second, no, 1, 2, 2},
		}},
		{"wrong for good at the session endpoint, 403", []string{pairSecret}, nil, refuse403, []step{
			{0, no, 2, 2, 2}, {0, no, 0, 1, 1}, {30 * time.Second, no, 1, 2, 2},
		}},
		{"wrong for good at the token endpoint", []string{pairSecret}, refuse401, reply(201, okSession), []step{
			{0, no, 2, 2, 0}, {0, no, 0, 1, 0}, {29 * time.Second, no, 0, 1, 0}, {30 * time.Second, no, 1, 2, 0},
		}},
		{"api key, wrong for good", []string{keySecret}, nil, refuse401, []step{
			{0, no, 2, 0, 2}, {0, no, 0, 0, 1}, {29 * time.Second, no, 0, 0, 1}, {30 * time.Second, no, 1, 0, 2},
		}},
		{"api key, rotated", []string{keySecret, key2}, nil, accept(refuse403, "key-2"), []step{
			{0, ok, 2, 0, 2}, {0, ok, 0, 0, 1},
		}},
		{"client secret, rotated", []string{pairSecret, pair2}, tokensFor("secret-2"), accept(refuse403, "token-1"), []step{
			{0, ok, 2, 2, 1}, {0, ok, 0, 0, 1},
		}},
		{"from a pair to an api key", []string{pairSecret, keySecret}, nil, accept(refuse403, "key-1"), []step{
			{0, ok, 2, 1, 2}, {0, ok, 0, 0, 1},
		}},
		{"from an api key to a pair", []string{keySecret, pairSecret}, nil, accept(refuse401, "token-1"), []step{
			{0, ok, 2, 1, 2}, {0, ok, 0, 0, 1},
		}},
		{"only the token is revoked", []string{pairSecret}, nil, sequence(
			reply(201, okSession), refuse401, reply(201, okSession), refuse401, reply(201, okSession), refuse401, refuse401), []step{
			{0, ok, 1, 1, 1},
			{0, ok, 1, 1, 2},               // the first refusal always reads again
			{time.Second, ok, 0, 1, 2},     // within 30 s a new token alone
			{2 * time.Second, no, 0, 1, 2}, // and once only
		}},
		{"a failed re-read does not count", []string{pairSecret, "!", "!", pair2}, tokensFor("secret-2"), accept(refuse401, "token-1"), []step{
			{0, store, 2, 1, 0}, {0, store, 1, 1, 0}, {0, ok, 1, 2, 1},
		}},
		{"the repair ends in something else", []string{keySecret}, nil, sequence(refuse401, reply(400, `{"callback":"Bad."}`)), []step{
			{0, KindInvalidRequest, 2, 0, 2},
		}},
		{"the token endpoint fails during the repair", []string{pairSecret}, sequence(reply(200, okToken), reply(429, ``)), refuse401, []step{
			{0, KindThrottled, 2, 2, 1},
		}},
		{"credits are no refusal", []string{pairSecret}, nil, reply(403, `{"error":"You don't have enough credits…"}`), []step{
			{0, KindInsufficientCredits, 1, 1, 1}, {0, KindInsufficientCredits, 0, 0, 1},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			fake := newFake(t, tt.token, tt.session)
			c := new(clock)
			source := newSecrets(c, tt.secrets...)
			client := fake.client(t, source, c)
			var reads, tokens, posts int
			for i, s := range tt.steps {
				c.offset.Store(int64(s.at))
				_, err := client.CreateSession(t.Context(), named)
				switch {
				case s.want == ok && err != nil, s.want == store && err != errStore:
					t.Errorf("call %d, at %v: got %v", i+1, s.at, err)
				case s.want != ok && s.want != store:
					if got := failure(t, i+1, err).Kind; got != s.want {
						t.Errorf("call %d, at %v: got %v, want %v", i+1, s.at, got, s.want)
					}
				}
				nowReads := int(source.reads.Load())
				nowTokens, nowPosts := fake.counts()
				if nowReads-reads != s.reads || nowTokens-tokens != s.tokens || nowPosts-posts != s.posts {
					t.Errorf("call %d, at %v: got %d reads, %d token requests, %d POSTs, want %d, %d, %d", i+1, s.at,
						nowReads-reads, nowTokens-tokens, nowPosts-posts, s.reads, s.tokens, s.posts)
				}
				reads, tokens, posts = nowReads, nowTokens, nowPosts
			}
		})
	}
}

// A call whose credentials another call has replaced meanwhile takes the new ones, without a
// read of its own.
func TestClient_rotationMidFlight(t *testing.T) {
	t.Parallel()
	arrived, release := make(chan struct{}), make(chan struct{})
	slow := func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-release
		reply(401, ``)(w, r)
	}
	fake := newFake(t, nil, sequence(slow, accept(reply(401, ``), "key-2")))
	c := new(clock)
	source := newSecrets(c, keySecret, `{"api_key":"key-2"}`)
	client := fake.client(t, source, c)
	done := make(chan error)
	go func() {
		_, err := client.CreateSession(t.Context(), named)
		done <- err
	}()
	<-arrived
	if _, err := client.CreateSession(t.Context(), named); err != nil {
		t.Errorf("the quick call: %v", err)
	}
	close(release)
	if err := <-done; err != nil {
		t.Errorf("the slow call: %v", err)
	}
	if _, posts := fake.counts(); source.reads.Load() != 2 || posts != 4 {
		t.Errorf("got %d reads and %d POSTs, want 2 and 4", source.reads.Load(), posts)
	}
}

// callers is how many calls are made at once.
const callers = 40

// together makes so many calls at once, none of which may fail.
func together(t *testing.T, client *Client) {
	t.Helper()
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range callers {
		wg.Go(func() {
			<-start
			if _, err := client.CreateSession(t.Context(), SessionRequest{WorkflowID: workflow, VendorData: fmt.Sprint(i)}); err != nil {
				t.Errorf("call %d: %v", i, err)
			}
		})
	}
	close(start)
	wg.Wait()
}

func TestClient_concurrentColdCallers(t *testing.T) {
	t.Parallel()
	fake := newFake(t, nil, reply(201, okSession))
	c := new(clock)
	source := newSecrets(c, pairSecret)
	together(t, fake.client(t, source, c))
	if tokens, posts := fake.counts(); source.reads.Load() != 1 || tokens != 1 || posts != callers {
		t.Errorf("got %d reads, %d token requests, %d POSTs, want 1, 1, %d", source.reads.Load(), tokens, posts, callers)
	}
}

func TestClient_concurrentRefusedCallers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		secrets    []string
		wantTokens int
	}{
		"token revoked":         {[]string{pairSecret}, 2},
		"client secret rotated": {[]string{pairSecret, `{"client_id":"id-1","client_secret":"secret-2"}`}, 2},
		"rotated to an api key": {[]string{pairSecret, keySecret}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// Everybody holds token-1 before anybody is refused.
			var barrier sync.WaitGroup
			barrier.Add(callers)
			fake := newFake(t, nil, accept(func(w http.ResponseWriter, r *http.Request) {
				barrier.Done()
				barrier.Wait()
				reply(401, ``)(w, r)
			}, "token-2", "key-1"))
			c := new(clock)
			source := newSecrets(c, tt.secrets...)
			together(t, fake.client(t, source, c))
			if tokens, posts := fake.counts(); source.reads.Load() != 2 || tokens != tt.wantTokens || posts != 2*callers {
				t.Errorf("got %d reads, %d token requests, %d POSTs, want 2, %d, %d", source.reads.Load(), tokens, posts, tt.wantTokens, 2*callers)
			}
		})
	}
}

// A caller with time left is not failed by a token request that another started with less.
func TestClient_sharedTokenRequestOutlastsItsStarter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := new(clock)
		fake := newMemoryFake(t, c, sequence(hang, reply(200, okToken)), reply(201, okSession))
		client := fake.client(t, newSecrets(c, pairSecret), c)
		start := time.Now()
		short, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := client.CreateSession(short, named)
			if got := failure(t, "short of time", err).Kind; got != KindTimeout {
				t.Errorf("short of time: got %v, want %v", got, KindTimeout)
			}
		})
		synctest.Wait()
		if tokens, _ := fake.counts(); tokens != 1 {
			t.Errorf("got %d token requests of the first caller, want 1", tokens)
		}
		if _, err := client.CreateSession(t.Context(), named); err != nil {
			t.Errorf("time left: got %v, want a session", err)
		}
		// Half of the starter's time went into the request that they shared.
		if took := time.Since(start); took != 200*time.Millisecond {
			t.Errorf("time left: got the session after %v, want 200 ms", took)
		}
		wg.Wait()
		if tokens, posts := fake.counts(); tokens != 2 || posts != 1 {
			t.Errorf("got %d token requests and %d POSTs, want 2 and 1", tokens, posts)
		}
	})
}

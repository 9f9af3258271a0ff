package didit_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"didit-sessions/internal/didit"
	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/memory"
)

// deployment is a store, a secret and a simulator, and the clients that share them. The simulator
// is called without a network, so that tests depend on no time.
type deployment struct {
	simulator didittest.Server
	memory.Store
	reads, writes atomic.Int32 // of the shared token
	// hooks, if set, are called by reads and writes first.
	onRead, onWrite func(ctx context.Context) error
	// onPost, if set, is called when a request for a session arrives.
	onPost func()

	mu     sync.Mutex
	secret string
	offset time.Duration // of Didit's clock from the start
	failed []error
}

var sharedStart = time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)

func newDeployment() *deployment {
	d := &deployment{}
	d.simulator.Now = d.now
	d.rotate(didittest.DefaultClientSecret)
	return d
}

func (d *deployment) now() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return sharedStart.Add(d.offset)
}

func (d *deployment) pass(t time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.offset += t
}

// rotate stores a new client secret. Didit is not told.
func (d *deployment) rotate(secret string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.secret = fmt.Sprintf(`{"client_id":%q,"client_secret":%q}`, didittest.DefaultClientID, secret)
}

func (d *deployment) SharedToken(ctx context.Context, name string) (string, error) {
	d.reads.Add(1)
	if d.onRead != nil {
		if err := d.onRead(ctx); err != nil {
			return "", err
		}
	}
	return d.Store.SharedToken(ctx, name)
}

func (d *deployment) ShareToken(ctx context.Context, name, sealed, instead string, asked, expires time.Time) error {
	d.writes.Add(1)
	if d.onWrite != nil {
		if err := d.onWrite(ctx); err != nil {
			return err
		}
	}
	return d.Store.ShareToken(ctx, name, sealed, instead, asked, expires)
}

// RoundTrip calls the simulator.
func (d *deployment) RoundTrip(r *http.Request) (*http.Response, error) {
	if d.onPost != nil && strings.HasSuffix(r.URL.Path, "/session/") {
		d.onPost()
	}
	arrived := httptest.NewRequestWithContext(r.Context(), r.Method, r.URL.String(), r.Body)
	arrived.Header = r.Header.Clone()
	w := httptest.NewRecorder()
	d.simulator.ServeHTTP(w, arrived)
	return w.Result(), nil
}

// client returns a new client, as a cold process has it. Its clock is that far ahead of Didit's.
func (d *deployment) client(ahead time.Duration) *didit.Client {
	now := func() time.Time { return d.now().Add(ahead) }
	return &didit.Client{
		Now: now, Transport: d,
		Credentials: &didit.CredentialCache{Now: now, Read: func(context.Context) (string, error) {
			d.mu.Lock()
			defer d.mu.Unlock()
			return d.secret, nil
		}},
		Shared: &didit.SharedToken{Store: d, SecretID: "didit", Limit: time.Hour, Failed: func(_ context.Context, err error) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.failed = append(d.failed, err)
		}},
	}
}

// create creates a session, and checks how many tokens were ever requested.
func (d *deployment) create(t *testing.T, what string, c *didit.Client, wantRequests int) {
	t.Helper()
	_, err := c.CreateSession(t.Context(), didit.SessionRequest{WorkflowID: "11111111-2222-3333-4444-555555555555", VendorData: what})
	if got := d.simulator.Count(didittest.OpToken); err != nil || got != wantRequests {
		t.Errorf("%s: got error %v, %d token requests until now, want %d", what, err, got, wantRequests)
	}
}

// sharedName is the name of the deployment's token by the contract.
func sharedName(secretID string) string {
	sum := sha256.Sum256([]byte(secretID + "\n" + didit.DefaultAuthURL))
	return "TOKEN#" + hex.EncodeToString(sum[:])
}

func (d *deployment) stored(t *testing.T) string {
	t.Helper()
	sealed, err := d.Store.SharedToken(t.Context(), sharedName("didit"))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// put stores an item as if it had been requested at the time.
func (d *deployment) put(t *testing.T, sealed string, asked time.Time) {
	t.Helper()
	if err := d.Store.ShareToken(t.Context(), sharedName("didit"), sealed, d.stored(t), asked, asked); err != nil {
		t.Fatal(err)
	}
}

// seal seals by the contract, apart from the code under test.
func seal(t *testing.T, secret, name, clientID, endpoint, plain string) string {
	t.Helper()
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, "didit-sessions/token/v1", 32)
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	bound, err := json.Marshal([]string{"v1", name, clientID, endpoint})
	if err != nil {
		t.Fatal(err)
	}
	nonce := []byte("123456789012")
	return base64.StdEncoding.EncodeToString(aead.Seal(nonce, nonce, []byte(plain), bound))
}

const tokenEndpoint = didit.DefaultAuthURL + "/auth/v2/token/"

func plainToken(value string, asked time.Time, lifetime time.Duration) string {
	return fmt.Sprintf(`{"access_token":%q,"asked":%d,"lifetime":%d}`, value, asked.UnixMilli(), lifetime)
}

// Ensure that the second process finds the token of the first, that nothing of it can be read in
// the store, and that a token which was sealed by the contract is understood.
func TestSharedToken(t *testing.T) {
	t.Parallel()
	d := newDeployment()
	d.create(t, "first", d.client(0), 1)
	d.create(t, "second", d.client(0), 1)
	if raw, err := base64.StdEncoding.DecodeString(d.stored(t)); err != nil || strings.Contains(string(raw), "simulated") {
		t.Errorf("got %q, error %v, want a sealed token", raw, err)
	}
	d.simulator.RevokeTokens()
	d.put(t, seal(t, didittest.DefaultClientSecret, sharedName("didit"), didittest.DefaultClientID, tokenEndpoint,
		plainToken("another", d.now(), time.Hour)), d.now())
	c := d.client(0)
	d.create(t, "third, whose token is refused", c, 2)
	var sent []string
	for _, r := range d.simulator.Requests() {
		if r.Op == didittest.OpCreate {
			sent = append(sent, fmt.Sprint(r.Status))
		}
	}
	if got := strings.Join(sent, " "); got != "201 201 403 201" {
		t.Errorf("got answers %s, want 201 201 403 201: the token of the store must be sent", got)
	}
}

// Ensure that an item which is of no use costs one purchase, and is replaced: whatever it says of
// its own age outside the seal.
func TestSharedToken_useless(t *testing.T) {
	t.Parallel()
	const secret, id = didittest.DefaultClientSecret, didittest.DefaultClientID
	good := plainToken("never sent", sharedStart, time.Hour)
	for name, item := range map[string]string{
		"garbage":               "garbage",
		"base64 of garbage":     "Z2FyYmFnZQ==",
		"truncated":             seal(t, secret, sharedName("didit"), id, tokenEndpoint, good)[:40],
		"one bit changed":       "B" + seal(t, secret, sharedName("didit"), id, tokenEndpoint, good)[1:],
		"of another secret":     seal(t, "another", sharedName("didit"), id, tokenEndpoint, good),
		"of another deployment": seal(t, secret, sharedName("other"), id, tokenEndpoint, good),
		"of another client":     seal(t, secret, sharedName("didit"), "another", tokenEndpoint, good),
		"of another endpoint":   seal(t, secret, sharedName("didit"), id, "https://example.com/auth/v2/token/", good),
		"expired":               seal(t, secret, sharedName("didit"), id, tokenEndpoint, plainToken("never sent", sharedStart.Add(-time.Hour), time.Hour)),
		"without a lifetime":    seal(t, secret, sharedName("didit"), id, tokenEndpoint, plainToken("never sent", sharedStart, 0)),
		"no token":              seal(t, secret, sharedName("didit"), id, tokenEndpoint, `{}`),
		"an empty token":        seal(t, secret, sharedName("didit"), id, tokenEndpoint, plainToken("", sharedStart, time.Hour)),
		"no header text":        seal(t, secret, sharedName("didit"), id, tokenEndpoint, plainToken("a b", sharedStart, time.Hour)),
		"no JSON":               seal(t, secret, sharedName("didit"), id, tokenEndpoint, "token"),
		"far too long":          seal(t, secret, sharedName("didit"), id, tokenEndpoint, plainToken(strings.Repeat("x", 16<<10), sharedStart, time.Hour)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, asked := range []time.Duration{-time.Hour, 0, 1000 * time.Hour} {
				d := newDeployment()
				d.put(t, item, sharedStart.Add(asked))
				d.create(t, "first", d.client(0), 1)
				d.create(t, "second", d.client(0), 1)
				for _, r := range d.simulator.Requests() {
					if r.Op == didittest.OpCreate && r.Status != 201 {
						t.Errorf("a session was answered with %d: the item was used", r.Status)
					}
				}
			}
		})
	}
}

// Ensure that a token which Didit refuses is replaced for all processes by one purchase, and that
// an old item which comes back is too.
func TestSharedToken_refused(t *testing.T) {
	t.Parallel()
	d := newDeployment()
	first, second, third := d.client(0), d.client(0), d.client(0)
	for _, c := range []*didit.Client{first, second, third} {
		d.create(t, "before", c, 1)
	}
	old := d.stored(t)
	d.simulator.RevokeTokens()
	d.create(t, "first to be refused", first, 2)
	d.create(t, "cold", d.client(0), 2)
	d.create(t, "second to be refused", second, 2)
	d.put(t, old, d.now().Add(time.Second))
	d.create(t, "cold, with a replayed item", d.client(0), 3)
	d.create(t, "cold, after it", d.client(0), 3)
	d.create(t, "third to be refused", third, 3)

	newest := d.client(0)
	d.pass(time.Hour)
	d.simulator.RevokeTokens()
	d.create(t, "the newest", newest, 4)
	d.simulator.RevokeTokens()
	d.create(t, "refused twice: its own token, and the shared one", third, 5)
}

// Ensure that a rotated client secret makes the item useless, and that a process which still has
// the old one finds its way.
func TestSharedToken_rotation(t *testing.T) {
	t.Parallel()
	d := newDeployment()
	old := d.client(0)
	d.create(t, "before", old, 1)
	d.simulator.SetCredentials("", "rotated", "")
	d.rotate("rotated")
	d.create(t, "cold", d.client(0), 2)
	d.create(t, "warm", old, 2)
}

// Ensure that an aging token is renewed by one process, and that the others take the new one.
func TestSharedToken_renewal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDeployment()
		clients := []*didit.Client{d.client(0), d.client(0), d.client(0)}
		for _, c := range clients {
			d.create(t, "before", c, 1)
		}
		d.pass(24*time.Hour - time.Minute)
		for i, c := range clients {
			what := fmt.Sprintf("aging, process %d", i)
			_, err := c.CreateSession(t.Context(), didit.SessionRequest{WorkflowID: "11111111-2222-3333-4444-555555555555", VendorData: what})
			synctest.Wait() // for the renewal
			if got := d.simulator.Count(didittest.OpToken); err != nil || got != 2 {
				t.Errorf("%s: got error %v, %d token requests, want 2", what, err, got)
			}
		}
		d.pass(time.Hour)
		for _, c := range append(clients, d.client(0)) {
			d.create(t, "after the end of the first", c, 2)
		}
	})
}

// Ensure that a clock which is an hour off costs at most one purchase: nothing fails, and what the
// one with the wrong clock stored does not stay.
func TestSharedToken_clocks(t *testing.T) {
	t.Parallel()
	for _, writer := range []time.Duration{-time.Hour, 0, time.Hour} {
		for _, reader := range []time.Duration{-time.Hour, 0, time.Hour} {
			d := newDeployment()
			what := fmt.Sprintf("written by a clock %v ahead, read by one %v ahead", writer, reader)
			d.create(t, what, d.client(writer), 1)
			d.create(t, what, d.client(reader), 1)
			d.simulator.RevokeTokens()
			d.create(t, what+", refused", d.client(reader), 2)
			d.create(t, what+", after that", d.client(writer), 2)
			d.pass(25 * time.Hour)
			d.create(t, what+", ended", d.client(reader), 3)
			d.create(t, what+", after that", d.client(0), 3)
		}
	}
}

// Ensure that a store that is down, denies or does not answer costs at most 300 ms before the token
// request and 300 ms after it, and fails no call.
func TestSharedToken_storeFails(t *testing.T) {
	t.Parallel()
	silent := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	denied := func(context.Context) error { return errors.New("denied") }
	for name, test := range map[string]struct {
		onRead, onWrite func(context.Context) error
		took            time.Duration
		failed          int
	}{
		"denied":          {denied, denied, 0, 2},
		"silent":          {silent, silent, 600 * time.Millisecond, 2},
		"silent to reads": {silent, nil, 300 * time.Millisecond, 1},
		"read only":       {nil, denied, 0, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := newDeployment()
			d.onRead, d.onWrite = test.onRead, test.onWrite
			c := d.client(0)
			c.Shared.Limit = 0
			begin := time.Now()
			d.create(t, name, c, 1)
			if took := time.Since(begin); took != test.took || len(d.failed) != test.failed {
				t.Errorf("%s: took %v and reported %v, want %v and %d errors", name, took, d.failed, test.took, test.failed)
			}
			d.create(t, name+", warm", c, 1)
			if d.reads.Load() != 1 || d.writes.Load() != 1 {
				t.Errorf("%s: got %d reads and %d writes, want 1 of each", name, d.reads.Load(), d.writes.Load())
			}
		})
	}
}

// Ensure that the read goes on beside the read of the secret, and the write beside the request for
// a session, which does not return before it ends.
func TestSharedToken_beside(t *testing.T) {
	t.Parallel()
	d := newDeployment()
	secretAsked, tokenAsked, posted := make(chan struct{}), make(chan struct{}), make(chan struct{})
	var written atomic.Bool
	d.onRead = func(context.Context) error { close(tokenAsked); <-secretAsked; return nil }
	d.onPost = func() { close(posted) }
	d.onWrite = func(context.Context) error { <-posted; written.Store(true); return nil }
	c := d.client(0)
	c.Credentials.(*didit.CredentialCache).Read = func(context.Context) (string, error) {
		close(secretAsked)
		<-tokenAsked
		return d.secret, nil
	}
	d.create(t, "cold", c, 1)
	if !written.Load() {
		t.Error("the call returned before the write had ended")
	}
}

// Ensure that Warm leaves the write of the token that it requested to the first call, which makes
// it beside the request for a session.
func TestSharedToken_afterWarm(t *testing.T) {
	t.Parallel()
	d := newDeployment()
	posted := make(chan struct{})
	d.onPost = sync.OnceFunc(func() { close(posted) })
	d.onWrite = func(context.Context) error { <-posted; return nil }
	c := d.client(0)
	c.Warm(t.Context())
	if d.simulator.Count(didittest.OpToken) != 1 || d.writes.Load() != 0 {
		t.Errorf("after Warm: got %d token requests and %d writes, want 1 and none", d.simulator.Count(didittest.OpToken), d.writes.Load())
	}
	d.create(t, "first call", c, 1)
	if d.writes.Load() != 1 {
		t.Errorf("after the first call: got %d writes, want 1", d.writes.Load())
	}
	d.create(t, "another instance", d.client(0), 1)
}

// Ensure that a call which gets no credentials leaves no read behind.
func TestSharedToken_noCredentials(t *testing.T) {
	t.Parallel()
	d := newDeployment()
	var ended atomic.Bool
	d.onRead = func(ctx context.Context) error { <-ctx.Done(); ended.Store(true); return ctx.Err() }
	c := d.client(0)
	c.Credentials.(*didit.CredentialCache).Read = func(context.Context) (string, error) { return "", errors.New("denied") }
	if _, err := c.CreateSession(t.Context(), didit.SessionRequest{}); err == nil || !ended.Load() || len(d.failed) != 0 {
		t.Errorf("got error %v, read ended %v, reported %v", err, ended.Load(), d.failed)
	}
}

// Ensure that an API key has no use for the item, and that Preload takes one and requests none.
func TestSharedToken_withoutPurchase(t *testing.T) {
	t.Parallel()
	d := newDeployment()
	c := d.client(0)
	c.Preload(t.Context())
	d.create(t, "nothing to take", c, 1)
	c = d.client(0)
	c.Preload(t.Context())
	reads := d.reads.Load()
	d.create(t, "taken", c, 1)
	if d.reads.Load() != reads {
		t.Error("the item was read again")
	}
	for _, prepare := range []func(*didit.Client){
		func(c *didit.Client) { c.Warm(t.Context()) }, func(c *didit.Client) { c.Preload(t.Context()) }, func(*didit.Client) {},
	} {
		c = d.client(0)
		c.Credentials = &didit.CredentialCache{Read: func(context.Context) (string, error) { return `{"api_key":"` + didittest.DefaultAPIKey + `"}`, nil }}
		prepare(c)
		d.create(t, "API key", c, 1)
		reads = d.reads.Load()
		d.create(t, "API key", c, 1)
		if d.reads.Load() != reads {
			t.Error("with an API key the item was read again")
		}
	}
}

// Ensure that 200 concurrent callers of one cold process make one read of the secret, one of the
// item and one token request.
func TestSharedToken_concurrentCallers(t *testing.T) {
	t.Parallel()
	d := newDeployment()
	c, reads := d.client(0), atomic.Int32{}
	source := c.Credentials.(*didit.CredentialCache)
	read := source.Read
	source.Read = func(ctx context.Context) (string, error) { reads.Add(1); return read(ctx) }
	var calling sync.WaitGroup
	for i := range 200 {
		calling.Go(func() { d.create(t, fmt.Sprintf("caller %d", i), c, 1) })
	}
	calling.Wait()
	if reads.Load() != 1 || d.reads.Load() != 1 || d.writes.Load() != 1 {
		t.Errorf("got %d reads of the secret, %d reads and %d writes of the token, want 1 of each", reads.Load(), d.reads.Load(), d.writes.Load())
	}
}

// Ensure that 50 processes which start at once all get their session: with a token in the store
// without a purchase, and without one with at most one purchase each, after which it is there.
func TestSharedToken_concurrentProcesses(t *testing.T) {
	t.Parallel()
	d := newDeployment()
	all := func() {
		var calling sync.WaitGroup
		for i := range 50 {
			calling.Go(func() {
				_, err := d.client(0).CreateSession(t.Context(), didit.SessionRequest{WorkflowID: "11111111-2222-3333-4444-555555555555", VendorData: fmt.Sprint(i)})
				if err != nil {
					t.Errorf("process %d: %v", i, err)
				}
			})
		}
		calling.Wait()
	}
	all()
	bought := d.simulator.Count(didittest.OpToken)
	if bought > 50 {
		t.Errorf("got %d token requests by 50 processes", bought)
	}
	all()
	if got := d.simulator.Count(didittest.OpToken); got != bought {
		t.Errorf("with a token in the store: got %d token requests, want none", got-bought)
	}
}

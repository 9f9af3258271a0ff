package didit

import (
	"cmp"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"sync"
	"sync/atomic"
	"time"
)

// TokenStore keeps one sealed access token under each name, where every instance of a deployment
// finds it. Its implementations are safe for concurrent use, and end with their context.
type TokenStore interface {
	// SharedToken returns what is stored now (no stale copy), and the empty string for nothing.
	SharedToken(ctx context.Context, name string) (sealed string, err error)
	// ShareToken stores a token that was requested at the time asked, unless the stored one was
	// requested at that time or later and is not instead. It is of no use after expires. That
	// another is kept is no error.
	ShareToken(ctx context.Context, name, sealed, instead string, asked, expires time.Time) error
}

const (
	// maxSharedWait is how long a read or a write of the shared token may take: a new token costs
	// about as much.
	maxSharedWait = 300 * time.Millisecond
	// maxSealedBytes is the size of the largest sealed token that is stored or opened. Didit's have
	// about one kilobyte.
	maxSealedBytes = 16 << 10
)

// SharedToken lets the clients of a deployment share one access token: Didit counts token requests
// by the caller's address, and a client that finds a token saves a round trip. The token is sealed
// with a key that follows from the client secret (HKDF-SHA256, AES-256-GCM). So those who can read
// the store cannot use it, what others write there is ignored, and a new client secret makes it
// useless. Only the sealed lifetime decides how long a token is used, by the clock of its reader.
//
// The token is read once before every token request, and beside the credentials if there is none in
// memory. A token that Didit hands out is written while the call goes on, which returns when the
// write has ended; one that [Client.Warm] requested is written by the first call. Reads and writes
// take at most 300 ms, and their failures fail no call.
//
// Set the fields before first use; it must not be copied after that, and belongs to one client.
type SharedToken struct {
	// Store keeps the token. Required.
	Store TokenStore
	// SecretID names the secret that the credentials come from. With the token endpoint it is what
	// clients must have in common in order to share a token.
	SecretID string
	// Failed, if set, is called with the errors of the store.
	Failed func(ctx context.Context, err error)
	// Limit is how long a read or a write may take; zero means 300 ms.
	Limit time.Duration

	idle      atomic.Bool // the credentials are an API key, which needs no token
	mu        sync.Mutex
	early     *sharedRead   // begun beside the credentials by a call that goes on
	stored    string        // what was last read or written
	unwritten *sharedWrite  // waits for a call that it can be written beside
	writing   chan struct{} // closed when the last write has ended; nil before the first
}

// sharedWrite is a token that Didit handed out, as it is stored.
type sharedWrite struct {
	hidden
	name, sealed   string
	asked, expires time.Time
}

// sharedRead is a read of the shared token, under way or ended.
type sharedRead struct {
	cancel context.CancelFunc
	done   chan struct{}
	sealed string // after done; empty if nothing was found in time
	used   bool   // another use needs another read
}

// begin starts a read, which ends by itself.
func (s *SharedToken) begin(ctx context.Context, name string) *sharedRead {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(s.Limit, maxSharedWait))
	r := &sharedRead{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		defer cancel()
		sealed, err := s.Store.SharedToken(ctx, name)
		s.report(ctx, err)
		if err == nil {
			r.sealed = sealed
		}
	}()
	return r
}

// found waits for the end of the read, and reports whether a token is stored. It may be of no use.
func (r *sharedRead) found() bool {
	if r == nil {
		return false
	}
	<-r.done
	return r.sealed != ""
}

func (s *SharedToken) report(ctx context.Context, err error) {
	if err != nil && s.Failed != nil && context.Cause(ctx) != context.Canceled {
		s.Failed(ctx, err)
	}
}

// read returns the stored token, from the early read if that is of use.
func (s *SharedToken) read(ctx context.Context, name string) string {
	s.mu.Lock()
	r := s.early
	if r == nil || r.used {
		r = s.begin(ctx, name)
	}
	r.used = true
	s.mu.Unlock()
	<-r.done
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stored = r.sealed
	return r.sealed
}

// keep leaves the token to the next call of writeBeside.
func (s *SharedToken) keep(name, sealed string, t accessToken) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unwritten = &sharedWrite{name: name, sealed: sealed, asked: t.received, expires: t.received.Add(t.lifetime)}
}

// writeBeside starts to write the token that was kept, if there is one; settle waits for the end.
func (s *SharedToken) writeBeside(ctx context.Context) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.unwritten
	if w == nil {
		return
	}
	done := make(chan struct{})
	instead, before := s.stored, s.writing
	s.stored, s.unwritten, s.writing = w.sealed, nil, done
	go func() {
		defer close(done)
		if before != nil {
			<-before
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cmp.Or(s.Limit, maxSharedWait))
		defer cancel()
		s.report(ctx, s.Store.ShareToken(ctx, w.name, w.sealed, instead, w.asked, w.expires))
	}()
}

// settle ends the early read, and waits for the write under way: a process may be frozen after a
// call.
func (s *SharedToken) settle(ctx context.Context, r *sharedRead) {
	s.mu.Lock()
	if r != nil {
		s.early = nil
	}
	writing := s.writing
	s.mu.Unlock()
	if r != nil {
		r.cancel()
		<-r.done
	}
	if writing != nil {
		select {
		case <-writing:
		case <-ctx.Done():
		}
	}
}

// readAhead begins to read the shared token if a token will be needed and no other call does. The
// caller calls settle at the end. early is nil without a read.
func (c *Client) readAhead(ctx context.Context) (early *sharedRead, settle func()) {
	s := c.Shared
	if s == nil {
		return nil, func() {}
	}
	if !s.idle.Load() && c.tokens.isEmpty() {
		s.mu.Lock()
		if s.early == nil {
			s.early = s.begin(ctx, c.sharedName())
			early = s.early
		}
		s.mu.Unlock()
	}
	return early, func() { s.settle(ctx, early) }
}

// newToken returns the shared token if it is better than the one in memory, and otherwise requests
// one, and leaves it to writeBeside.
func (c *Client) newToken(ctx context.Context, creds Credentials) (accessToken, error) {
	if token, ok := c.sharedToken(ctx, creds); ok {
		return token, nil
	}
	token, err := c.requestToken(ctx, creds)
	if err == nil && c.Shared != nil {
		name := c.sharedName()
		if sealed, ok := token.seal(creds, c.sealedFor(creds, name)); ok {
			c.Shared.keep(name, sealed, token)
		}
	}
	return token, err
}

// takeShared puts the shared token into memory if there is one.
func (c *Client) takeShared(ctx context.Context, creds Credentials) {
	if token, ok := c.sharedToken(ctx, creds); ok {
		c.tokens.keep(creds, token)
	}
}

// sharedToken reads the shared token, and reports whether it serves better than the one in memory.
func (c *Client) sharedToken(ctx context.Context, creds Credentials) (token accessToken, ok bool) {
	if c.Shared == nil {
		return token, false
	}
	name := c.sharedName()
	token, ok = unsealToken(creds, c.Shared.read(ctx, name), c.sealedFor(creds, name))
	return token, ok && c.tokens.wants(creds, token, wallNow(c.Now))
}

// sharedName names the token in the store.
func (c *Client) sharedName() string {
	sum := sha256.Sum256([]byte(c.Shared.SecretID + "\n" + c.authURL()))
	return "TOKEN#" + hex.EncodeToString(sum[:])
}

// sealedFor is what a sealed token is bound to.
func (c *Client) sealedFor(creds Credentials, name string) []byte {
	bound, _ := json.Marshal([]string{"v1", name, creds.ClientID, c.authURL() + tokenPath})
	return bound
}

// sealedToken is what is sealed.
type sealedToken struct {
	Value    string        `json:"access_token"`
	Asked    int64         `json:"asked"`    // Unix milliseconds
	Lifetime time.Duration `json:"lifetime"` // nanoseconds
}

// seal returns the token as it is stored, and false for one that is too large.
func (t accessToken) seal(creds Credentials, boundTo []byte) (string, bool) {
	aead, err := sealKey(creds)
	if err != nil {
		return "", false
	}
	plain, err := json.Marshal(sealedToken{t.value, t.received.UnixMilli(), t.lifetime})
	sealed := base64.StdEncoding.EncodeToString(aead.Seal(nil, nil, plain, boundTo))
	return sealed, err == nil && len(sealed) <= maxSealedBytes
}

// unsealToken returns the token, and false for what was not sealed with these credentials or for
// something else.
func unsealToken(creds Credentials, sealed string, boundTo []byte) (accessToken, bool) {
	if sealed == "" || len(sealed) > maxSealedBytes {
		return accessToken{}, false
	}
	bytes, err := base64.StdEncoding.DecodeString(sealed)
	aead, keyErr := sealKey(creds)
	if err != nil || keyErr != nil {
		return accessToken{}, false
	}
	var content sealedToken
	plain, err := aead.Open(nil, nil, bytes, boundTo)
	if err != nil || json.Unmarshal(plain, &content) != nil || !headerText(content.Value) {
		return accessToken{}, false
	}
	t := accessToken{value: content.Value, received: time.UnixMilli(content.Asked), shared: true}
	t.setLifetime(content.Lifetime)
	return t, true
}

// sealKey returns the cipher for tokens of the credentials, which puts 12 random bytes in front of
// what it seals.
func sealKey(creds Credentials) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, []byte(creds.ClientSecret), nil, "didit-sessions/token/v1", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

package didit

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Warm prepares the first call: it reads the credentials and the shared token while it opens a
// connection to the session API, and another to the token endpoint unless tokens are shared. Then,
// with client credentials and no shared token, it requests an access token. It returns when all of
// that is done or has failed, or when ctx ends, and leaves nothing running. Failures are ignored:
// the first call tries again and reports them.
//
// Call it in the init phase of a Lambda function, when a process has a whole CPU and no caller
// waits. A connection that it opened is not used after 5 idle seconds.
func (c *Client) Warm(ctx context.Context) {
	c.setup()
	early, settle := c.readAhead(ctx)
	defer settle()
	var api, auth sync.WaitGroup
	defer api.Wait()
	if c.ahead != nil {
		api.Go(func() { c.ahead.open(ctx, c.apiURL()) })
		if early == nil {
			auth.Go(func() { c.ahead.open(ctx, c.authURL()) })
		}
	}
	creds, err := c.Credentials.Credentials(ctx)
	early.found()
	auth.Wait()
	if err != nil {
		return
	}
	if creds.usesAPIKey() && c.ahead != nil {
		c.ahead.drop(c.authURL())
	}
	// The write of the token would keep the first caller waiting.
	_, _ = c.authorizeBy(ctx, creds, c.newToken)
}

// Preload is [Client.Warm] for functions that seldom call Didit: it reads the credentials and the
// shared token side by side, and asks Didit nothing.
func (c *Client) Preload(ctx context.Context) {
	c.setup()
	early, settle := c.readAhead(ctx)
	defer settle()
	creds, err := c.Credentials.Credentials(ctx)
	early.found()
	switch {
	case err != nil:
	case creds.usesAPIKey():
		_, _ = c.authorize(ctx, creds)
	default:
		c.takeShared(ctx, creds)
	}
}

// ahead keeps connections that were opened before the transport needed them, by scheme and address.
type ahead struct {
	transport *http.Transport // uses them when it dials
	now       func() time.Time
	connect   func(ctx context.Context, k string) (net.Conn, error)

	mu    sync.Mutex
	conns map[string]opened
}

type opened struct {
	net.Conn
	at time.Time // wall clock
}

// newAhead makes the transport use connections that were opened ahead.
func newAhead(t *http.Transport, now func() time.Time) *ahead {
	a := &ahead{transport: t, now: now, conns: make(map[string]opened)}
	a.connect = a.connectNet
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		return a.dial(ctx, "http "+address)
	}
	t.DialTLSContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		return a.dial(ctx, "https "+address)
	}
	return a
}

// key returns the scheme and the address of an origin, and "" for what is not an origin.
func key(origin string) string {
	u, err := url.Parse(origin)
	if err != nil || u.Hostname() == "" {
		return ""
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	return u.Scheme + " " + net.JoinHostPort(u.Hostname(), port)
}

func (a *ahead) open(ctx context.Context, origin string) {
	k := key(origin)
	if conn, err := a.connect(ctx, k); err == nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.conns[k] = opened{conn, wallNow(a.now)}
	}
}

// take returns the connection if it is good enough for every request.
func (a *ahead) take(k string) (net.Conn, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	o, ok := a.conns[k]
	delete(a.conns, k)
	if ok && (wallNow(a.now).Sub(o.at) > maxIdleOnce || closedBeforeUse(o.Conn)) {
		_ = o.Close()
		ok = false
	}
	return o.Conn, ok
}

func (a *ahead) drop(origin string) {
	if conn, ok := a.take(key(origin)); ok {
		_ = conn.Close()
	}
}

func (a *ahead) dial(ctx context.Context, k string) (net.Conn, error) {
	if conn, ok := a.take(k); ok {
		return conn, nil
	}
	return a.connect(ctx, k)
}

func (a *ahead) connectNet(ctx context.Context, k string) (net.Conn, error) {
	scheme, address, _ := strings.Cut(k, " ")
	conn, err := dialWatched(ctx, "tcp", address)
	if err != nil || scheme != "https" {
		return conn, err
	}
	config := a.transport.TLSClientConfig.Clone()
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(address)
	}
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return secured, nil
}

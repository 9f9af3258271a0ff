package didit

import (
	"context"
	"crypto/tls"
	"net"
	"net/url"
	"sync"
)

// Warm prepares the first call, side by side: connections to the session API and to the token endpoint
// are opened while the credentials are read, and where these are client credentials, an access token is
// bought. It returns when all of it is done or has failed, or when ctx ends, and leaves nothing running.
// What failed is nobody's error: the first call does it again and says what is wrong.
//
// It is meant for the init phase of a Lambda function, where a process has a whole CPU and nobody
// waits. A connection that it opened is left behind once it has been idle for 5 s.
func (c *Client) Warm(ctx context.Context) {
	c.setup()
	var work sync.WaitGroup
	defer work.Wait()
	if c.opener != nil {
		for _, origin := range []string{c.apiURL(), c.authURL()} {
			if opening := c.opener.begin(origin); opening != nil {
				work.Go(func() { c.opener.open(ctx, opening) })
			}
		}
	}
	creds, err := c.Credentials.Credentials(ctx)
	if err != nil {
		return
	}
	if creds.usesAPIKey() && c.opener != nil {
		c.opener.forget(c.authURL())
	}
	_, _ = c.authorize(ctx, creds)
}

// opener opens connections for a transport, and ahead of it.
type opener struct {
	dial func(ctx context.Context, network, address string) (net.Conn, error)
	tls  *tls.Config

	mu    sync.Mutex
	ahead map[string][]*opening // by scheme and address
}

// opening is a connection that is being opened ahead of its first use.
type opening struct {
	scheme, address string
	done            chan struct{} // closed when it is open, or has failed
	conn            net.Conn      // nil when it has failed
}

func (p *opening) key() string { return p.scheme + " " + p.address }

// parseOrigin is where a connection to the origin goes; nil where it is none.
func parseOrigin(origin string) *opening {
	u, err := url.Parse(origin)
	if err != nil || u.Hostname() == "" {
		return nil
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	return &opening{scheme: u.Scheme, address: net.JoinHostPort(u.Hostname(), port), done: make(chan struct{})}
}

// begin promises a connection to the origin to the transport's next dial, which waits for it.
func (o *opener) begin(origin string) *opening {
	p := parseOrigin(origin)
	if p == nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ahead == nil {
		o.ahead = make(map[string][]*opening)
	}
	o.ahead[p.key()] = append(o.ahead[p.key()], p)
	return p
}

// open keeps the promise, or breaks it.
func (o *opener) open(ctx context.Context, p *opening) {
	defer close(p.done)
	connect := o.dial
	if p.scheme == "https" {
		connect = o.connectTLS
	}
	if conn, err := connect(ctx, "tcp", p.address); err == nil {
		p.conn = conn
	}
}

// forget closes a connection that nobody will need.
func (o *opener) forget(origin string) {
	if p := parseOrigin(origin); p != nil {
		if last := o.promised(p.key()); last != nil {
			go last.close()
		}
	}
}

// promised takes the latest promise, if there is one.
func (o *opener) promised(key string) *opening {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := o.ahead[key]
	if len(all) == 0 {
		return nil
	}
	o.ahead[key] = all[:len(all)-1]
	return all[len(all)-1]
}

// close closes the connection once it is open; opening it ends with Warm.
func (p *opening) close() {
	if <-p.done; p.conn != nil {
		_ = p.conn.Close()
	}
}

// take returns the connection that was opened ahead, if there is one and it can be trusted with any
// request.
func (o *opener) take(ctx context.Context, key string) net.Conn {
	p := o.promised(key)
	if p == nil {
		return nil
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		go p.close()
		return nil
	}
	if p.conn == nil {
		return nil
	}
	if tracked, ok := netConn(p.conn).(*trackedConn); ok && tracked.idle() <= staleAfter && !closedByPeer(p.conn) {
		return p.conn
	}
	_ = p.conn.Close()
	return nil
}

// dialPlain is [http.Transport.DialContext].
func (o *opener) dialPlain(ctx context.Context, network, address string) (net.Conn, error) {
	if conn := o.take(ctx, "http "+address); conn != nil {
		return conn, nil
	}
	return o.dial(ctx, network, address)
}

// dialTLS is [http.Transport.DialTLSContext].
func (o *opener) dialTLS(ctx context.Context, network, address string) (net.Conn, error) {
	if conn := o.take(ctx, "https "+address); conn != nil {
		return conn, nil
	}
	return o.connectTLS(ctx, network, address)
}

func (o *opener) connectTLS(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := o.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	config := o.tls.Clone()
	config.ServerName = host
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return secured, nil
}

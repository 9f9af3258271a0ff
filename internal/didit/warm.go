package didit

import (
	"context"
	"crypto/tls"
	"net"
	"net/url"
	"sync"
)

// Warm prepares the first call, side by side: a connection to the session API is opened, and the
// credentials are read and, where they are client credentials, an access token is bought. It returns
// when all of it is done or has failed, or when ctx ends, and leaves nothing running. What failed is
// nobody's error: the first call does it again and says what is wrong.
//
// It is meant for the init phase of a Lambda function, where a process has a whole CPU and nobody
// waits. A connection that it opened is left behind once it has been idle for 5 s.
func (c *Client) Warm(ctx context.Context) {
	c.setup()
	var work sync.WaitGroup
	defer work.Wait()
	if c.opener != nil {
		if u, err := url.Parse(c.apiURL()); err == nil {
			work.Go(func() { c.opener.open(ctx, u) })
		}
	}
	creds, err := c.Credentials.Credentials(ctx)
	if err != nil {
		return
	}
	_, _ = c.authorize(ctx, creds)
}

// opener opens connections for a transport, and ahead of it.
type opener struct {
	dial func(ctx context.Context, network, address string) (net.Conn, error)
	tls  *tls.Config

	mu    sync.Mutex
	ready map[string]net.Conn // by scheme and address
}

// open keeps a connection ready for the transport's next dial to the origin.
func (o *opener) open(ctx context.Context, origin *url.URL) {
	port := origin.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[origin.Scheme]
	}
	address := net.JoinHostPort(origin.Hostname(), port)
	connect := o.dial
	if origin.Scheme == "https" {
		connect = o.connectTLS
	}
	conn, err := connect(ctx, "tcp", address)
	if err != nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if old := o.ready[origin.Scheme+address]; old != nil {
		_ = old.Close()
	}
	o.ready = map[string]net.Conn{origin.Scheme + address: conn}
}

// take returns the connection that is ready, if it can be trusted with any request.
func (o *opener) take(key string) net.Conn {
	o.mu.Lock()
	conn := o.ready[key]
	delete(o.ready, key)
	o.mu.Unlock()
	if conn == nil {
		return nil
	}
	if tracked, ok := netConn(conn).(*trackedConn); ok && tracked.idle() <= staleAfter && !closedByPeer(conn) {
		return conn
	}
	_ = conn.Close()
	return nil
}

// dialPlain is [http.Transport.DialContext].
func (o *opener) dialPlain(ctx context.Context, network, address string) (net.Conn, error) {
	if conn := o.take("http" + address); conn != nil {
		return conn, nil
	}
	return o.dial(ctx, network, address)
}

// dialTLS is [http.Transport.DialTLSContext].
func (o *opener) dialTLS(ctx context.Context, network, address string) (net.Conn, error) {
	if conn := o.take("https" + address); conn != nil {
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

package didit

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// How long a connection may lie idle and still be trusted with a request.
const (
	// staleAfter holds for a request that must not be sent twice.
	staleAfter = 5 * time.Second
	// staleAfterAll holds for every request. Load balancers drop connections that were idle
	// for a minute (Elastic Load Balancing: idle timeout), some without a word.
	staleAfterAll = time.Minute
)

// NewTransport returns a transport for [Client.Transport], with defaults for Didit: HTTP/1.1
// over TLS 1.2 or newer, connections kept alive, proxies from the environment. It remembers
// when each connection was last used by the wall clock, because Lambda freezes a process
// between invocations and the monotonic clock may stop with it. now is the clock; nil means
// [time.Now].
func NewTransport(now func() time.Time) *http.Transport {
	transport, _ := newTransport(now)
	transport.DialTLSContext = nil // the caller's TLSClientConfig decides
	return transport
}

// newTransport is NewTransport with what opens connections ahead of it.
func newTransport(now func() time.Time) (*http.Transport, *opener) {
	dialer := &net.Dialer{}
	o := &opener{
		dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			tracked := &trackedConn{Conn: conn, now: now}
			tracked.touch()
			return tracked, nil
		},
		tls: &tls.Config{
			MinVersion:         tls.VersionTLS12,
			ClientSessionCache: tls.NewLRUClientSessionCache(8),
		},
	}
	return &http.Transport{
		Proxy:           http.ProxyFromEnvironment,
		DialContext:     o.dialPlain,
		DialTLSContext:  o.dialTLS,
		TLSClientConfig: o.tls, // behind a proxy
		// One request at a time needs no multiplexing, and what has happened to a request
		// is certain on HTTP/1.1 alone.
		TLSNextProto:        map[string]func(string, *tls.Conn) http.RoundTripper{},
		MaxIdleConnsPerHost: 64,
		IdleConnTimeout:     5 * time.Minute,
		DisableCompression:  true,
	}, o
}

// trackedConn knows when it last carried anything.
type trackedConn struct {
	net.Conn
	now  func() time.Time
	last atomic.Int64 // Unix nanoseconds, wall clock
}

func (c *trackedConn) touch() { c.last.Store(wallNow(c.now).UnixNano()) }

func (c *trackedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.touch()
	}
	return n, err
}

func (c *trackedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if n > 0 {
		c.touch()
	}
	return n, err
}

func (c *trackedConn) idle() time.Duration {
	return time.Duration(wallNow(c.now).UnixNano() - c.last.Load())
}

// connUse watches which connection an attempt gets.
type connUse struct {
	fresh   bool        // refuse stale connections
	dead    atomic.Bool // one was closed instead of being used
	reached atomic.Bool // a connection was handed over: the request may have reached Didit
}

// trace makes the attempt report to u. A connection that is stale, or that Didit has closed while
// the process was frozen, is closed before anything is written to it, which makes
// [http.Transport] take another by itself.
func (u *connUse) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			dead := info.Reused && (idleTime(info) > u.trusted() || closedByPeer(info.Conn))
			if dead {
				_ = netConn(info.Conn).Close()
				u.dead.Store(true)
			}
			u.reached.Store(!dead)
		},
	})
}

// trusted is how long a connection may have been idle.
func (u *connUse) trusted() time.Duration {
	if u.fresh {
		return staleAfter
	}
	return staleAfterAll
}

func idleTime(info httptrace.GotConnInfo) time.Duration {
	if tracked, ok := netConn(info.Conn).(*trackedConn); ok {
		return tracked.idle()
	}
	return info.IdleTime
}

func netConn(conn net.Conn) net.Conn {
	if secured, ok := conn.(*tls.Conn); ok {
		return secured.NetConn()
	}
	return conn
}

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

// How long a connection may be idle and still be used for a request.
const (
	// maxIdle is for every request: load balancers drop connections that were idle for a minute
	// (Elastic Load Balancing: idle timeout). net/http compares wall-clock times, so that a freeze
	// of the process counts.
	maxIdle = time.Minute
	// maxIdleOnce is for a request that must not be sent twice.
	maxIdleOnce = 5 * time.Second
)

// NewTransport returns a transport for [Client.Transport] with defaults for Didit: HTTP/1.1 over
// TLS 1.2 or newer, connections kept alive for up to a minute, proxies from the environment.
func NewTransport() *http.Transport {
	return &http.Transport{
		Proxy:           http.ProxyFromEnvironment,
		DialContext:     dialWatched,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(8)},
		// One request at a time needs no multiplexing, and only with HTTP/1.1 is it certain whether
		// a request was sent.
		TLSNextProto:        map[string]func(string, *tls.Conn) http.RoundTripper{},
		MaxIdleConnsPerHost: 64,
		IdleConnTimeout:     maxIdle,
		DisableCompression:  true,
	}
}

func dialWatched(ctx context.Context, network, address string) (net.Conn, error) {
	return watch(new(net.Dialer).DialContext(ctx, network, address))
}

// dropIdle closes idle connections if the last answer is too old for a request that must not be
// sent twice. The transport dials again.
func (c *Client) dropIdle() {
	last := time.Unix(0, c.used.Load())
	if idle, ok := c.transport.(interface{ CloseIdleConnections() }); ok && wallNow(c.Now).Sub(last) > maxIdleOnce {
		idle.CloseIdleConnections()
	}
}

// connUse is what happened with the connection of an attempt.
type connUse struct {
	dead    atomic.Bool // Didit had closed it; it carried nothing
	reached atomic.Bool // it was used: the request may have reached Didit
}

// trace closes a reused connection that Didit has already closed, before anything is written to it,
// so that [http.Transport] takes another.
func (u *connUse) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			dead := info.Reused && closedWhileIdle(info.Conn)
			if dead {
				_ = netConn(info.Conn).Close()
				u.dead.Store(true)
			}
			u.reached.Store(!dead)
		},
	})
}

func netConn(conn net.Conn) net.Conn {
	if secured, ok := conn.(*tls.Conn); ok {
		return secured.NetConn()
	}
	return conn
}

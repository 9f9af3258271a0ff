package didit

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// network is a loopback interface in memory. Nothing that waits for its connections keeps the
// clock of a synctest bubble from moving, so tests over it take no time and depend on none: a
// limit is reached only when everything waits.
type network struct {
	mu        sync.Mutex
	listeners map[string]*memoryListener // by address
}

// newNetwork makes a network whose listeners and connections end with the test.
func newNetwork(t *testing.T) *network {
	t.Helper()
	n := &network{listeners: make(map[string]*memoryListener)}
	t.Cleanup(n.close)
	return n
}

// listen returns a listener at an address of its own. Callers can connect to it, as with the
// kernel's, before Accept is called.
func (n *network) listen() net.Listener {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := &memoryListener{
		address: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: len(n.listeners) + 1},
		backlog: make(chan net.Conn, 64),
		done:    make(chan struct{}),
	}
	n.listeners[l.address.String()] = l
	return l
}

// dial connects as a [net.Dialer] does.
func (n *network) dial(ctx context.Context, _, address string) (net.Conn, error) {
	n.mu.Lock()
	l := n.listeners[address]
	n.mu.Unlock()
	if l == nil {
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	}
	client, server := net.Pipe()
	select {
	case l.backlog <- server:
	case <-l.done:
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return client, nil
}

// transport is [NewTransport] over the network.
func (n *network) transport(t *testing.T) *http.Transport {
	t.Helper()
	transport := NewTransport()
	transport.DialContext = n.dial
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// dialIn makes the client's own transport dial in the network.
func (c *Client) dialIn(t *testing.T, n *network) {
	t.Helper()
	c.setup()
	c.ahead.connect = func(ctx context.Context, k string) (net.Conn, error) {
		scheme, address, _ := strings.Cut(k, " ")
		conn, err := n.dial(ctx, "tcp", address)
		if err != nil || scheme != "https" {
			return conn, err
		}
		config := c.ahead.transport.TLSClientConfig.Clone()
		config.ServerName, _, _ = net.SplitHostPort(address)
		secured := tls.Client(conn, config)
		return secured, secured.HandshakeContext(ctx)
	}
	t.Cleanup(c.transport.(*http.Transport).CloseIdleConnections)
}

func (n *network) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.listeners {
		_ = l.Close()
	}
}

// memoryListener is a [net.Listener] of a network.
type memoryListener struct {
	address *net.TCPAddr
	backlog chan net.Conn
	once    sync.Once
	done    chan struct{}
}

func (l *memoryListener) Addr() net.Addr { return l.address }

func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.backlog:
		return conn, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close closes the connections that were not accepted, too.
func (l *memoryListener) Close() error {
	l.once.Do(func() {
		close(l.done)
		for {
			select {
			case conn := <-l.backlog:
				_ = conn.Close()
			default:
				return
			}
		}
	})
	return nil
}

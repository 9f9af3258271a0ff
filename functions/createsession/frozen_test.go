package main

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"didit-sessions/internal/didit/didittest"
)

// proxy stands between the function and Didit, and ends connections while the function is frozen.
type proxy struct {
	net.Listener
	target string
	mu     sync.Mutex
	conns  []*net.TCPConn // the function's side
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{Listener: l, target: strings.TrimPrefix(target, "http://")}
	t.Cleanup(func() { _ = l.Close() })
	go p.serve()
	return p
}

func (p *proxy) url() string { return "http://" + p.Addr().String() }

func (p *proxy) serve() {
	for {
		conn, err := p.Accept()
		if err != nil {
			return
		}
		upstream, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = conn.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, conn.(*net.TCPConn))
		p.mu.Unlock()
		go func() { _, _ = io.Copy(upstream, conn); _ = upstream.Close() }()
		go func() { _, _ = io.Copy(conn, upstream); _ = conn.Close() }()
	}
}

// end closes all connections so far, by a reset if asked to, and returns how many there were.
func (p *proxy) end(reset bool) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range p.conns {
		if reset {
			_ = conn.SetLinger(0)
		}
		_ = conn.Close()
	}
	ended := len(p.conns)
	p.conns = nil
	return ended
}

// Ensure that a connection that dies while the process is frozen costs a new connection, and
// neither an error nor a second session, with and without vendor data.
func TestFrozen(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		body  string
		reset bool
	}{
		{"closed, named", named, false}, {"closed, anonymous", anonymous, false},
		{"reset, named", named, true}, {"reset, anonymous", anonymous, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			sim := &didittest.Server{}
			if err := sim.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(sim.Close)
			p := newProxy(t, sim.URL())
			w := newWorld(t, 1, map[string]string{"DIDIT_API_URL": p.url(), "DIDIT_AUTH_URL": sim.URL()})
			for i := range 10 {
				if r := w.invoke(t, []byte(test.body)); r.Failed() {
					t.Fatalf("call %d: got %q %s", i, r.ErrorType, r.ErrorMessage)
				}
				if got := sim.Count(didittest.OpCreate); got != i+1 {
					t.Fatalf("call %d: got %d requests, want %d", i, got, i+1)
				}
				if err := w.Freeze(); err != nil {
					t.Fatal(err)
				}
				if got := p.end(test.reset); got != 1 {
					t.Errorf("call %d: got %d connections, want 1", i, got)
				}
				if err := w.Thaw(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

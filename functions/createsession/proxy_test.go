package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// death is how connections end during a freeze.
type death string

const (
	closed   death = "closed"
	reset    death = "reset"
	vanished death = "black hole" // packets are dropped without notice
)

// proxy is between the function and a service. It ends connections on demand and always accepts new
// ones.
type proxy struct {
	net.Listener
	target string

	mu       sync.Mutex
	links    []*link       // that live
	accepted int           // in all
	first    chan struct{} // closed when the first one is accepted
}

// link is a connection through the proxy.
type link struct {
	near, far *net.TCPConn // the function's side, and the upstream's
	hole      atomic.Bool
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{Listener: l, target: strings.TrimPrefix(target, "http://"), first: make(chan struct{})}
	t.Cleanup(func() { _ = l.Close() })
	go p.serve(t)
	return p
}

func (p *proxy) url() string { return "http://" + p.Addr().String() }

func (p *proxy) serve(t *testing.T) {
	for {
		near, err := p.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = near.Close()
			continue
		}
		l := &link{near: near.(*net.TCPConn), far: far.(*net.TCPConn)}
		t.Cleanup(l.close)
		p.mu.Lock()
		if p.accepted++; p.accepted == 1 {
			close(p.first)
		}
		p.links = append(p.links, l)
		p.mu.Unlock()
		go l.carry(l.far, l.near)
		go l.carry(l.near, l.far)
	}
}

// carry copies until one side ends, and ends the other, unless the link is a black hole by then.
func (l *link) carry(to, from *net.TCPConn) {
	_, _ = io.Copy(gate{to, &l.hole}, from)
	if !l.hole.Load() {
		_ = to.Close()
	}
}

func (l *link) close() { _, _ = l.near.Close(), l.far.Close() }

// gate swallows what is written while its link is a black hole.
type gate struct {
	to   io.Writer
	hole *atomic.Bool
}

func (g gate) Write(b []byte) (int, error) {
	if g.hole.Load() {
		return len(b), nil
	}
	return g.to.Write(b)
}

// end ends all connections and returns how many there were. Unless they vanish, the function's side
// has been notified when it returns.
func (p *proxy) end(how death) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.links {
		switch how {
		case vanished:
			l.hole.Store(true)
			continue
		case reset:
			_ = l.near.SetLinger(0)
		}
		_ = l.near.Close()
		p.awaitEnd(l.near.RemoteAddr())
	}
	ended := len(p.links)
	p.links = nil
	return ended
}

// awaitFirst waits for the first connection: the function may have opened one that the proxy has
// not accepted yet. The minute only ends a test that hangs.
func (p *proxy) awaitFirst(t *testing.T) {
	t.Helper()
	select {
	case <-p.first:
	case <-time.After(time.Minute):
		t.Fatal("no connection was opened")
	}
}

// awaitEnd waits until the kernel has no open connection from that address to the proxy any more.
// It reads Linux's table of connections (proc_pid_net(5)); elsewhere it waits for a moment.
func (p *proxy) awaitEnd(from net.Addr) {
	open := fmt.Appendf(nil, " 0100007F:%04X 0100007F:%04X 01 ", from.(*net.TCPAddr).Port, p.Addr().(*net.TCPAddr).Port)
	for limit := time.Now().Add(time.Minute); time.Now().Before(limit); {
		table, err := os.ReadFile("/proc/self/net/tcp")
		if err == nil && !bytes.Contains(table, open) {
			return
		}
		<-time.After(20 * time.Millisecond)
		if err != nil {
			return
		}
	}
}

// connections is how many there have been.
func (p *proxy) connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.accepted
}

package main

import (
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// death is what becomes of connections while the function is frozen.
type death string

const (
	closed   death = "closed"
	reset    death = "reset"
	vanished death = "black hole" // no packet arrives any more, and nobody says so
)

// proxy stands between the function and an upstream, and lets connections die on demand. New ones
// are always carried.
type proxy struct {
	net.Listener
	target string

	mu       sync.Mutex
	links    []*link // that live
	accepted int     // in all
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
	p := &proxy{Listener: l, target: strings.TrimPrefix(target, "http://")}
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
		p.accepted++
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

// end lets all connections die that live, and returns how many there were.
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
	}
	ended := len(p.links)
	p.links = nil
	return ended
}

// connections is how many there have been.
func (p *proxy) connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.accepted
}

package main

import (
	"net"
	"sync"
	"time"
)

// proxy joins each of its clients with one server, by a [wire].
type proxy struct {
	listener net.Listener
	target   string
	wire     wire

	mu     sync.Mutex
	closed bool
	open   map[net.Conn]struct{}
}

// listenProxy delays connections to target, a loopback host:port, until Close.
func listenProxy(target string, roundTrip time.Duration) (*proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{listener: listener, target: target, wire: wire{roundTrip, sleepUntil}, open: make(map[net.Conn]struct{})}
	go p.serve()
	return p, nil
}

// Addr is where the proxy listens, as host:port.
func (p *proxy) Addr() string { return p.listener.Addr().String() }

// Close ends the listener and every connection.
func (p *proxy) Close() {
	p.listener.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for conn := range p.open {
		conn.Close()
	}
}

func (p *proxy) serve() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		go p.join(client, time.Now())
	}
}

func (p *proxy) join(client net.Conn, accepted time.Time) {
	defer client.Close()
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	if !p.keep(client, server) {
		return
	}
	p.wire.join(client, server, accepted)
	p.mu.Lock()
	delete(p.open, client)
	delete(p.open, server)
	p.mu.Unlock()
}

// keep remembers what Close must end; false means that Close has been called already.
func (p *proxy) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range conns {
		p.open[conn] = struct{}{}
	}
	return !p.closed
}

package main

import (
	"context"
	"net"
	"time"
)

// proxy joins each of its clients with one server, by a [wire].
type proxy struct {
	listener net.Listener
	target   string
	wire     wire
	ctx      context.Context // ends with Close
	cancel   context.CancelFunc
}

// listenProxy delays connections to target, a loopback host:port, until Close.
func listenProxy(target string, roundTrip time.Duration) (*proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{listener: listener, target: target, wire: wire{roundTrip, sleepUntil}}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go p.join(client, time.Now())
		}
	}()
	return p, nil
}

// Addr is where the proxy listens, as host:port.
func (p *proxy) Addr() string { return p.listener.Addr().String() }

// Close ends the listener and every connection.
func (p *proxy) Close() {
	p.listener.Close()
	p.cancel()
}

func (p *proxy) join(client net.Conn, accepted time.Time) {
	defer client.Close()
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	defer context.AfterFunc(p.ctx, func() {
		client.Close()
		server.Close()
	})()
	p.wire.join(client, server, accepted)
}

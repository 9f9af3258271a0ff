package main

import (
	"net"
	"sync"
	"time"
)

// wire puts a round trip between a client and a server that are both on loopback, which has
// practically none.
//
// The model is half a round trip each way and unlimited bandwidth: every chunk of bytes comes out
// half a round trip after it went in, in order, and never waits for another chunk. Opening a
// connection costs a round trip too, which loopback hides: there the client may send at once, where
// on a real wire it waits for the answer to its SYN. So whatever it sends within the first round
// trip counts as sent at the end of it, and what the server sends within the first half, as sent at
// the end of that half. A client that does other work meanwhile, or connects ahead of need, gains
// what it would gain in reality.
//
// The first request on a new connection therefore takes three round trips with TLS 1.3 (TCP, TLS,
// HTTP), and any later one takes one. Nothing is lost, slow start is not simulated, and a reset
// arrives as an end.
type wire struct {
	roundTrip  time.Duration
	sleepUntil func(time.Time)
}

// maxQueued is how many chunks of at most 32 KiB may be under way in one direction; more make their
// sender wait.
const maxQueued = 256

// join carries bytes between both ends until both have ended.
func (w wire) join(client, server net.Conn, accepted time.Time) {
	var carrying sync.WaitGroup
	carrying.Go(func() { w.carry(server, client, accepted.Add(w.roundTrip)) })
	carrying.Go(func() { w.carry(client, server, accepted.Add(w.roundTrip/2)) })
	carrying.Wait()
}

// chunk is what one read returned, and when it must come out. The last one is empty and stands for
// the end.
type chunk struct {
	due   time.Time
	bytes []byte
}

// carry is one direction: what from sends before open counts as sent then.
func (w wire) carry(to, from net.Conn, open time.Time) {
	queue := make(chan chunk, maxQueued)
	go w.enqueue(queue, from, open)
	for c := range queue {
		w.sleepUntil(c.due)
		if c.bytes == nil {
			closeWrite(to)
		} else if _, err := to.Write(c.bytes); err != nil {
			// The receiver has gone: let the sender know, and drain the queue.
			from.Close()
		}
	}
}

func (w wire) enqueue(queue chan<- chunk, from net.Conn, open time.Time) {
	defer close(queue)
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		sent := time.Now()
		if sent.Before(open) {
			sent = open
		}
		due := sent.Add(w.roundTrip / 2)
		if n > 0 {
			queue <- chunk{due, append([]byte(nil), buffer[:n]...)}
		}
		if err != nil {
			queue <- chunk{due: due}
			return
		}
	}
}

// closeWrite ends one direction of a connection, or all of it if that cannot be ended alone.
func closeWrite(conn net.Conn) {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
		return
	}
	conn.Close()
}

// sleepUntil returns at that moment, and as little later as this machine can: Go's timers may be
// late by a millisecond on an idle machine, which would be a part of what is measured.
func sleepUntil(moment time.Time) {
	const timersMayBeLate = 2 * time.Millisecond
	if early := time.Until(moment) - timersMayBeLate; early > 0 {
		time.Sleep(early)
	}
	if rest := time.Until(moment); rest > 0 {
		sleepExactly(rest)
	}
}

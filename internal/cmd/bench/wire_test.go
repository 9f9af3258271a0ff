package main

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const testRoundTrip = 40 * time.Millisecond

// joined returns both ends of a wire whose clock is that of a synctest bubble.
func joined(t *testing.T) (client, server net.Conn) {
	t.Helper()
	client, proxyClient := net.Pipe()
	server, proxyServer := net.Pipe()
	w := wire{testRoundTrip, func(moment time.Time) { time.Sleep(time.Until(moment)) }}
	accepted := time.Now()
	var carrying sync.WaitGroup
	carrying.Go(func() { w.join(proxyClient, proxyServer, accepted) })
	t.Cleanup(func() {
		client.Close()
		server.Close()
		carrying.Wait()
	})
	return client, server
}

func say(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
}

// hear reads as many bytes as want has, and says how much later than begin they came.
func hear(t *testing.T, conn net.Conn, want string, begin time.Time) time.Duration {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != want {
		t.Fatalf("heard %q, %v, want %q", got, err, want)
	}
	return time.Since(begin)
}

// Ensure that a new connection costs a round trip and that every exchange costs one.
func TestWire_exchanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, server := joined(t)
		begin := time.Now()
		for i, want := range []time.Duration{2 * testRoundTrip, 3 * testRoundTrip, 4 * testRoundTrip} {
			say(t, client, "question")
			if got := hear(t, server, "question", begin); got != want-testRoundTrip/2 {
				t.Errorf("question %d arrived after %v, want %v", i, got, want-testRoundTrip/2)
			}
			say(t, server, "answer")
			if got := hear(t, client, "answer", begin); got != want {
				t.Errorf("answer %d arrived after %v, want %v", i, got, want)
			}
		}
	})
}

// Ensure that the cost of connecting is over a round trip after it began, whatever the client does
// meanwhile.
func TestWire_connectedAhead(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ idle, want time.Duration }{
		{0, 3 * testRoundTrip / 2},
		{testRoundTrip / 4, 3 * testRoundTrip / 2},
		{testRoundTrip, 3 * testRoundTrip / 2},
		{testRoundTrip + 1, 3*testRoundTrip/2 + 1},
		{time.Second, time.Second + testRoundTrip/2},
	} {
		synctest.Test(t, func(t *testing.T) {
			client, server := joined(t)
			begin := time.Now()
			time.Sleep(tt.idle)
			say(t, client, "x")
			if got := hear(t, server, "x", begin); got != tt.want {
				t.Errorf("said after %v, heard after %v, want %v", tt.idle, got, tt.want)
			}
		})
	}
}

// Ensure that a server that speaks first is heard when a SYN and its answer have passed.
func TestWire_serverFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, server := joined(t)
		begin := time.Now()
		say(t, server, "hello")
		if got := hear(t, client, "hello", begin); got != testRoundTrip {
			t.Errorf("heard after %v, want %v", got, testRoundTrip)
		}
	})
}

// Ensure that chunks travel side by side: many take no longer than one, and each keeps its distance
// to the one before.
func TestWire_manyChunks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, server := joined(t)
		begin := time.Now()
		time.Sleep(time.Second)
		go func() {
			for range 50 {
				_, _ = io.WriteString(client, "at once,")
			}
			time.Sleep(time.Millisecond)
			_, _ = io.WriteString(client, "later")
		}()
		var first, last time.Duration
		for i := range 50 {
			last = hear(t, server, "at once,", begin)
			if i == 0 {
				first = last
			}
		}
		if want := time.Second + testRoundTrip/2; first != want || last != want {
			t.Errorf("chunks sent at once arrived after %v to %v, want %v", first, last, want)
		}
		if got, want := hear(t, server, "later", begin), last+time.Millisecond; got != want {
			t.Errorf("the chunk sent 1 ms later arrived after %v, want %v", got, want)
		}
	})
}

// Ensure that the proxy keeps every byte and its place, both ways at once, and passes on the end of
// one direction alone.
func TestProxy_bytes(t *testing.T) {
	t.Parallel()
	for _, roundTrip := range []time.Duration{0, 2 * time.Millisecond} {
		client, server := connected(t, roundTrip)
		up, down := noise(1, 3<<20), noise(2, 2<<20)
		var talking sync.WaitGroup
		talking.Go(func() { pour(t, client, up) })
		talking.Go(func() {
			got, err := io.ReadAll(server)
			if err != nil || !bytes.Equal(got, up) {
				t.Errorf("round trip %v: the server read %d bytes, %v; want the %d that were sent", roundTrip, len(got), err, len(up))
			}
			// The client has ended its direction; the server may still send.
			pour(t, server, down)
		})
		talking.Go(func() {
			got, err := io.ReadAll(client)
			if err != nil || !bytes.Equal(got, down) {
				t.Errorf("round trip %v: the client read %d bytes, %v; want the %d that were sent", roundTrip, len(got), err, len(down))
			}
		})
		talking.Wait()
	}
}

// Ensure that closing the proxy ends its connections.
func TestProxy_close(t *testing.T) {
	t.Parallel()
	upstream, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer upstream.Close()
	p, err := listenProxy(upstream.Addr().String(), 0)
	if err != nil {
		t.Fatal(err)
	}
	client, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := upstream.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	say(t, client, "x")
	hear(t, server, "x", time.Now())
	p.Close()
	for name, conn := range map[string]net.Conn{"client": client, "server": server} {
		if n, err := conn.Read(make([]byte, 1)); err == nil {
			t.Errorf("%s: read %d bytes from a closed proxy", name, n)
		}
	}
	// The port may be another listener's already, so it is not dialled.
	if err := p.listener.(*net.TCPListener).SetDeadline(time.Time{}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener of a closed proxy is open: got %v", err)
	}
}

// connected returns both ends of a TCP connection through a proxy.
func connected(t *testing.T, roundTrip time.Duration) (client, server net.Conn) {
	t.Helper()
	upstream, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer upstream.Close()
	p, err := listenProxy(upstream.Addr().String(), roundTrip)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	if client, err = net.Dial("tcp", p.Addr()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	if server, err = upstream.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return client, server
}

// pour sends all of it in pieces of all sizes, and ends its direction.
func pour(t *testing.T, conn net.Conn, all []byte) {
	random := rand.New(rand.NewPCG(3, 3))
	for len(all) > 0 {
		n := min(len(all), 1+random.IntN(100_000))
		if _, err := conn.Write(all[:n]); err != nil {
			t.Error(err)
			return
		}
		all = all[n:]
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Error(err)
	}
}

func noise(seed byte, n int) []byte {
	all := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(all)
	return all
}

package didit

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Whether a connection that lay idle, by the injected clock, is used again.
func TestTransport_idleConnections(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		for _, tt := range []struct {
			idle    time.Duration
			request SessionRequest
			want    int32 // connections in all
		}{
			{0, nameless, 1},
			{5 * time.Second, nameless, 1},
			{5*time.Second + 1, nameless, 2},
			{time.Hour, nameless, 2},
			{-time.Hour, nameless, 1}, // a clock set back proves nothing
			{5*time.Second + 1, named, 1},
			{time.Minute - 1, named, 1},
			{time.Minute + 1, named, 2}, // a load balancer has dropped it
		} {
			t.Run(fmt.Sprintf("tls %t, %v, vendor data %q", secure, tt.idle, tt.request.VendorData), func(t *testing.T) {
				t.Parallel()
				// In memory, because net/http leaves a connection whose last write has not
				// returned 50 ms after the answer.
				synctest.Test(t, func(t *testing.T) {
					c := new(clock)
					fake := startMemoryFake(t, c, nil, reply(201, okSession))
					// The client's own transport, where nothing needs another.
					client := &Client{Credentials: fixed(keySecret), Now: c.Now}
					if secure {
						fake.StartTLS()
						transport := fake.network.transport(t)
						transport.TLSClientConfig.RootCAs = x509.NewCertPool()
						transport.TLSClientConfig.RootCAs.AddCert(fake.Certificate())
						client.Transport = transport
					} else {
						fake.Start()
						client.dialIn(t, fake.network)
					}
					client.APIURL = fake.URL + prefix
					var seen attempts
					client.Observe = seen.observe
					for range 2 {
						if _, err := client.CreateSession(t.Context(), tt.request); err != nil {
							t.Fatal(err)
						}
						c.advance(tt.idle)
						time.Sleep(tt.idle) // net/http has a clock of its own
					}
					_, posts := fake.counts()
					if got := fake.connections.Load(); got != tt.want || posts != 2 || len(seen.all()) != 2 {
						t.Errorf("got %d connections, %d POSTs, %d attempts, want %d, 2, 2", got, posts, len(seen.all()), tt.want)
					}
				})
			})
		}
	}
}

// All of the connections that lie idle are stale after a freeze.
func TestTransport_manyIdleConnections(t *testing.T) {
	t.Parallel()
	var together sync.WaitGroup
	together.Add(5)
	fake := newFake(t, nil, sequence(append(repeated(5, func(w http.ResponseWriter, r *http.Request) {
		together.Done()
		together.Wait()
		reply(201, okSession)(w, r)
	}), reply(201, okSession))...))
	c := new(clock)
	client := fake.client(t, fixed(keySecret), c)
	var calls sync.WaitGroup
	for range 5 {
		calls.Go(func() {
			if _, err := client.CreateSession(t.Context(), nameless); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	c.advance(6 * time.Second)
	if _, err := client.CreateSession(t.Context(), nameless); err != nil {
		t.Errorf("after the freeze: %v", err)
	}
	_, posts := fake.counts()
	if got := fake.connections.Load(); got != 6 || posts != 6 {
		t.Errorf("got %d connections and %d POSTs, want 6 and 6", got, posts)
	}
}

func repeated(n int, h http.HandlerFunc) []http.HandlerFunc {
	list := make([]http.HandlerFunc, n)
	for i := range list {
		list[i] = h
	}
	return list
}

// mortalServer answers one request per connection and closes the connection when a second
// arrives, as a peer does that forgot about it while the client was frozen.
func mortalServer(t *testing.T, listener net.Listener) (url string, requests *atomic.Int32) {
	t.Helper()
	var conns sync.WaitGroup
	requests = new(atomic.Int32)
	serve := func(conn net.Conn) {
		defer func() { _ = conn.Close() }()
		reader := bufio.NewReader(conn)
		for n := range 2 {
			request, err := http.ReadRequest(reader)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, request.Body)
			requests.Add(1)
			if n == 1 {
				return
			}
			_, _ = fmt.Fprintf(conn, "HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%s", len(okSession), okSession)
		}
	}
	conns.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conns.Go(func() { serve(conn) })
		}
	})
	t.Cleanup(func() { _ = listener.Close(); conns.Wait() })
	return "http://" + listener.Addr().String(), requests
}

// A connection that died during a freeze costs a reconnect, never an error.
func TestTransport_deadIdleConnection(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name         string
		idle         time.Duration
		request      SessionRequest
		wantErr      bool
		wantRequests int32
	}{
		{"without vendor data it is not tried", 6 * time.Second, nameless, false, 2},
		{"with vendor data it costs a repetition", 6 * time.Second, named, false, 3},
		{"one that died at once may have made a session", time.Second, nameless, true, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := new(clock)
				network := newNetwork(t)
				url, requests := mortalServer(t, network.listen())
				client := &Client{Credentials: fixed(keySecret), APIURL: url, Transport: network.transport(t), Now: c.Now}
				if _, err := client.CreateSession(t.Context(), tt.request); err != nil {
					t.Fatal(err)
				}
				c.advance(tt.idle)
				_, err := client.CreateSession(t.Context(), tt.request)
				if (err != nil) != tt.wantErr || requests.Load() != tt.wantRequests {
					t.Errorf("after %v, vendor data %q: got %v and %d requests, want error %t and %d",
						tt.idle, tt.request.VendorData, err, requests.Load(), tt.wantErr, tt.wantRequests)
				}
			})
		})
	}
}

// A call with 250 ms left gives half of them to an attempt that might be made again. What remains
// then is too short for another.
func TestClient_timeouts(t *testing.T) {
	t.Parallel()
	slowBody := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		w.WriteHeader(201)
		_ = http.NewResponseController(w).Flush()
		hang(w, r)
	}
	const all, half = 250 * time.Millisecond, 125 * time.Millisecond
	for _, tt := range []struct {
		name           string
		token, session http.HandlerFunc
		request        SessionRequest
		wantOp         string
		wantPosts      int
		wantTime       time.Duration
	}{
		{"session, nameless", nil, hang, nameless, "create_session", 1, all},
		{"session, named", nil, hang, named, "create_session", 1, half},
		{"session's body", nil, slowBody, nameless, "create_session", 1, all},
		{"token", hang, reply(201, okSession), named, "token", 0, half},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := new(clock)
				fake := newMemoryFake(t, c, tt.token, tt.session)
				start := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), all)
				defer cancel()
				_, err := fake.client(t, fixed(pairSecret), c).CreateSession(ctx, tt.request)
				if got := failure(t, tt.name, err); got.Kind != KindTimeout || got.Op != tt.wantOp || got.Status != 0 || got.Reason != "no answer in time" {
					t.Errorf("got %v, want a timeout of %s, with its reason", got, tt.wantOp)
				}
				if took := time.Since(start); took != tt.wantTime {
					t.Errorf("got it after %v, want %v", took, tt.wantTime)
				}
				if tokens, posts := fake.counts(); tokens != 1 || posts != tt.wantPosts {
					t.Errorf("got %d token requests and %d POSTs, want 1 and %d", tokens, posts, tt.wantPosts)
				}
			})
		})
	}
}

// With time enough, half of it goes to the first attempt and the rest to a repetition.
func TestClient_timeoutThenAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := new(clock)
		fake := newMemoryFake(t, c, nil, sequence(hang, reply(201, okSession)))
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		var seen attempts
		client := fake.client(t, fixed(keySecret), c)
		client.Observe = seen.observe
		if _, err := client.CreateSession(ctx, named); err != nil {
			t.Errorf("got %v, want the repetition's session; attempts %+v", err, seen.all())
		}
		if took := time.Since(start); took < 1050*time.Millisecond || took >= 1150*time.Millisecond {
			t.Errorf("got it after %v, want a second and a pause", took)
		}
		if got := seen.all(); len(got) != 2 || got[0].Status != 0 {
			t.Errorf("got attempts %+v, want a timeout and a success", got)
		}
	})
}

// The limit of an attempt is 10 s, or the client's own.
func TestClient_AttemptTimeout(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ set, want time.Duration }{{0, 10 * time.Second}, {time.Minute, time.Minute}, {time.Second, time.Second}} {
		t.Run(tt.set.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := new(clock)
				fake := newMemoryFake(t, c, nil, hang)
				client := fake.client(t, fixed(keySecret), c)
				client.AttemptTimeout = tt.set
				start := time.Now()
				_, err := client.CreateSession(t.Context(), nameless)
				if got, took := failure(t, tt.set, err).Kind, time.Since(start); got != KindTimeout || took != tt.want {
					t.Errorf("got %v after %v, want %v after %v", got, took, KindTimeout, tt.want)
				}
			})
		})
	}
}

// A handshake without an answer is a timeout, not a broken connection.
func TestClient_silentHandshake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := newNetwork(t)
		client := &Client{Credentials: fixed(keySecret), APIURL: "https://" + network.listen().Addr().String()}
		client.dialIn(t, network)
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		_, err := client.CreateSession(ctx, nameless)
		if got, took := failure(t, "silence", err).Kind, time.Since(start); got != KindTimeout || took != 200*time.Millisecond {
			t.Errorf("got %v after %v, want %v after 200 ms", got, took, KindTimeout)
		}
	})
}

func TestClient_tlsFailures(t *testing.T) {
	t.Parallel()
	untrusted := startFake(t, nil, reply(201, okSession))
	untrusted.Config.ErrorLog = discardLog
	untrusted.StartTLS()
	plain := newFake(t, nil, reply(201, okSession))
	for name, url := range map[string]string{"untrusted": untrusted.URL, "no TLS": "https" + plain.URL[len("http"):]} {
		client := &Client{Credentials: fixed(keySecret), APIURL: url, AttemptTimeout: patience}
		_, err := client.CreateSession(t.Context(), nameless)
		if got := failure(t, name, err); got.Kind != KindUnavailable || got.Reason != "TLS failure" {
			t.Errorf("%s: got %v, want unavailable: TLS failure", name, got)
		}
	}
}

// Ensure that a server which knows no version of TLS from 1.2 on gets nothing.
func TestClient_oldTLS(t *testing.T) {
	t.Parallel()
	for version, want := range map[uint16]int{tls.VersionTLS11: 0, tls.VersionTLS12: 1} {
		fake := startFake(t, nil, reply(201, okSession))
		fake.Config.ErrorLog = discardLog
		fake.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: version}
		fake.StartTLS()
		transport := NewTransport()
		transport.TLSClientConfig.RootCAs = fake.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
		client := &Client{Credentials: fixed(keySecret), APIURL: fake.URL + prefix, Transport: transport, AttemptTimeout: patience}
		_, err := client.CreateSession(t.Context(), nameless)
		if got := len(fake.sessions); got != want || (err == nil) != (want > 0) {
			t.Errorf("%s: got %d requests and %v, want %d", tls.VersionName(version), got, err, want)
		}
	}
}

func TestClient_noTimeLeft(t *testing.T) {
	t.Parallel()
	fake := newFake(t, nil, reply(201, okSession))
	ctx, cancel := context.WithCancel(t.Context())
	client := fake.client(t, fixed(keySecret), new(clock))
	if _, err := client.CreateSession(ctx, named); err != nil {
		t.Fatal(err)
	}
	cancel()
	_, err := client.CreateSession(ctx, named)
	if got := failure(t, "cancelled", err).Kind; got != KindTimeout {
		t.Errorf("got %v, want %v", got, KindTimeout)
	}
	if _, posts := fake.counts(); posts != 1 {
		t.Errorf("got %d POSTs, want 1", posts)
	}
}

package didit

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// countingServer is a session and token endpoint that counts connections and requests.
func countingServer(t *testing.T, network *network, secured bool) (url string, client *http.Transport, connections, requests *atomic.Int64) {
	t.Helper()
	connections, requests = new(atomic.Int64), new(atomic.Int64)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/auth/v2/token/" {
			_, _ = w.Write([]byte(`{"access_token":"t","expires_in":60}`))
			return
		}
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte(`{"session_id":"s","url":"u","status":"Not Started"}`))
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	_ = s.Listener.Close()
	s.Listener = network.listen()
	if secured {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s.URL, s.Client().Transport.(*http.Transport), connections, requests
}

// Ensure that the first call after Warm sends one request over a connection that is open already,
// and that one which has grown old is left behind.
func TestClient_Warm(t *testing.T) {
	t.Parallel()
	for _, secured := range []bool{false, true} {
		for _, test := range []struct {
			idle time.Duration
			want int64 // connections to the session API in all
		}{{0, 1}, {5 * time.Second, 1}, {5*time.Second + 1, 2}} {
			synctest.Test(t, func(t *testing.T) {
				network := newNetwork(t)
				authURL, _, tokenConnections, tokens := countingServer(t, network, false)
				apiURL, trusted, connections, creates := countingServer(t, network, secured)
				c := &Client{AuthURL: authURL, APIURL: apiURL,
					Credentials: &CredentialCache{Read: func(context.Context) (string, error) { return `{"client_id":"i","client_secret":"s"}`, nil }}}
				c.dialIn(t, network)
				if secured {
					c.ahead.transport.TLSClientConfig.RootCAs = trusted.TLSClientConfig.RootCAs
				}
				c.Warm(t.Context())
				if tokens.Load() != 1 || creates.Load() != 0 {
					t.Errorf("TLS %v: Warm made %d token requests and %d sessions; want 1 and 0", secured, tokens.Load(), creates.Load())
				}
				time.Sleep(test.idle)
				for range 2 {
					if _, err := c.CreateSession(t.Context(), SessionRequest{WorkflowID: "w"}); err != nil {
						t.Fatal(err)
					}
				}
				if connections.Load() != test.want || tokenConnections.Load() != 1 || tokens.Load() != 1 {
					t.Errorf("TLS %v, idle for %v: got %d connections, %d token requests, want %d, 1", secured, test.idle, connections.Load(), tokens.Load(), test.want)
				}
			})
		}
	}
}

// Ensure that Warm reports no failure, and ends with its context or before.
func TestClient_Warm_trouble(t *testing.T) {
	t.Parallel()
	const all = time.Second
	for _, test := range []struct {
		origin      string        // SILENT stands for a listener that never answers
		least, most time.Duration // until Warm returns
	}{
		{"https://SILENT", all, all},
		{"http://SILENT", all, all},
		{"http://127.0.0.1:65535", 50 * time.Millisecond, 150 * time.Millisecond}, // two refusals and a pause
		{"://", 50 * time.Millisecond, 150 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			network := newNetwork(t)
			silent := network.listen().Addr().String()
			url := strings.ReplaceAll(test.origin, "SILENT", silent)
			start := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), all)
			defer cancel()
			c := &Client{AuthURL: url, APIURL: url,
				Credentials: &CredentialCache{Read: func(context.Context) (string, error) { return `{"client_id":"i","client_secret":"s"}`, nil }}}
			c.dialIn(t, network)
			c.Warm(ctx)
			if took := time.Since(start); took < test.least || took > test.most {
				t.Errorf("%s: returned after %v, want %v to %v", test.origin, took, test.least, test.most)
			}
			if token, _ := c.tokens.lookup(Credentials{ClientID: "i", ClientSecret: "s"}, time.Now()); token.value != "" {
				t.Errorf("%s: got a token", test.origin)
			}
			if _, ok := c.ahead.take("https " + silent); ok {
				t.Errorf("%s: got a connection", test.origin)
			}
		})
	}
}

// Ensure that Warm asks Didit nothing without credentials.
func TestClient_Warm_noCredentials(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := newNetwork(t)
		url, _, _, requests := countingServer(t, network, false)
		c := &Client{AuthURL: url, APIURL: url,
			Credentials: &CredentialCache{Read: func(context.Context) (string, error) { return "", errors.New("denied") }}}
		c.dialIn(t, network)
		c.Warm(t.Context())
		if n := requests.Load(); n != 0 {
			t.Errorf("got %d requests, want none", n)
		}
	})
}

// Ensure that an API key needs no connection to the token endpoint, and leaves none behind.
func TestClient_Warm_apiKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := newNetwork(t)
		ended := make(chan struct{})
		auth := httptest.NewUnstartedServer(http.NotFoundHandler())
		auth.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateClosed {
				close(ended)
			}
		}
		_ = auth.Listener.Close()
		auth.Listener = network.listen()
		auth.Start()
		t.Cleanup(auth.Close)
		apiURL, _, connections, _ := countingServer(t, network, false)
		c := &Client{AuthURL: auth.URL, APIURL: apiURL,
			Credentials: &CredentialCache{Read: func(context.Context) (string, error) { return `{"api_key":"k"}`, nil }}}
		c.dialIn(t, network)
		c.Warm(t.Context())
		synctest.Wait()
		select {
		case <-ended:
		default:
			t.Error("the connection to the token endpoint is still there")
		}
		if _, err := c.CreateSession(t.Context(), SessionRequest{WorkflowID: "w"}); err != nil || connections.Load() != 1 {
			t.Errorf("got %d connections to the session API, error %v, want 1", connections.Load(), err)
		}
	})
}

// emptyStore is a [TokenStore] that keeps nothing.
type emptyStore struct{}

func (emptyStore) SharedToken(context.Context, string) (string, error) { return "", nil }
func (emptyStore) ShareToken(context.Context, string, string, string, time.Time, time.Time) error {
	return nil
}

// Ensure that where tokens are shared, the token endpoint is connected to only by those who need a
// token and find none.
func TestClient_Warm_shared(t *testing.T) {
	t.Parallel()
	for secret, want := range map[string]int64{keySecret: 0, pairSecret: 1} {
		synctest.Test(t, func(t *testing.T) {
			network := newNetwork(t)
			authURL, _, connections, tokens := countingServer(t, network, false)
			apiURL, _, apiConnections, _ := countingServer(t, network, false)
			c := &Client{AuthURL: authURL, APIURL: apiURL, Shared: &SharedToken{Store: emptyStore{}}, Credentials: fixed(secret)}
			c.dialIn(t, network)
			c.Warm(t.Context())
			if _, err := c.CreateSession(t.Context(), nameless); err != nil || connections.Load() != want || tokens.Load() != want || apiConnections.Load() != 1 {
				t.Errorf("%s: got error %v, %d connections to the token endpoint, %d requests of it, %d connections to the session API, want %d, %d, 1",
					secret, err, connections.Load(), tokens.Load(), apiConnections.Load(), want, want)
			}
		})
	}
}

// Ensure that over a real socket, too, the connection that Warm opened is the one that is used.
func TestClient_Warm_socket(t *testing.T) {
	t.Parallel()
	fake := newFake(t, nil, reply(201, okSession))
	client := &Client{
		Credentials: fixed(keySecret), APIURL: fake.URL + prefix, AuthURL: "://", Now: new(clock).Now, AttemptTimeout: patience,
	}
	client.Warm(t.Context())
	t.Cleanup(client.transport.(*http.Transport).CloseIdleConnections)
	if _, err := client.CreateSession(t.Context(), nameless); err != nil || fake.connections.Load() != 1 {
		t.Errorf("got %d connections, error %v, want 1", fake.connections.Load(), err)
	}
}

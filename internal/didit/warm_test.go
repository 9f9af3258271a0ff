package didit

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

// countingServer is a session and token endpoint that counts connections and requests.
func countingServer(t *testing.T, secured bool) (url string, client *http.Transport, connections, requests *atomic.Int64) {
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
	if secured {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s.URL, s.Client().Transport.(*http.Transport), connections, requests
}

// Ensure that the first call after Warm sends one request over a connection that is open already, and
// that one which has grown old is left behind.
func TestClient_Warm(t *testing.T) {
	t.Parallel()
	for _, secured := range []bool{false, true} {
		for _, test := range []struct {
			idle time.Duration
			want int64 // connections to the session API in all
		}{{0, 1}, {4 * time.Second, 1}, {6 * time.Second, 2}} {
			authURL, _, tokenConnections, tokens := countingServer(t, false)
			apiURL, trusted, connections, creates := countingServer(t, secured)
			var later atomic.Int64
			now := func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
			c := &Client{AuthURL: authURL, APIURL: apiURL, Now: now,
				Credentials: &CredentialCache{Read: func(context.Context) (string, error) { return `{"client_id":"i","client_secret":"s"}`, nil }}}
			c.setup()
			if secured {
				c.opener.tls.RootCAs = trusted.TLSClientConfig.RootCAs
			}
			c.Warm(t.Context())
			if tokens.Load() != 1 || creates.Load() != 0 {
				t.Errorf("TLS %v: Warm made %d token requests and %d sessions; want 1 and 0", secured, tokens.Load(), creates.Load())
			}
			later.Store(int64(test.idle))
			for range 2 {
				if _, err := c.CreateSession(t.Context(), SessionRequest{WorkflowID: "w"}); err != nil {
					t.Fatal(err)
				}
			}
			if connections.Load() != test.want || tokenConnections.Load() != 1 || tokens.Load() != 1 {
				t.Errorf("TLS %v, idle for %v: got %d connections, %d token requests, want %d, 1", secured, test.idle, connections.Load(), tokens.Load(), test.want)
			}
		}
	}
}

// Ensure that Warm fails nobody, and ends with its context.
func TestClient_Warm_trouble(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	for _, url := range []string{"https://" + silent.Addr().String(), "http://" + silent.Addr().String(), "http://127.0.0.1:1", "https://no.such.host.invalid", "://"} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		c := &Client{AuthURL: url, APIURL: url,
			Credentials: &CredentialCache{Read: func(context.Context) (string, error) { return `{"client_id":"i","client_secret":"s"}`, nil }}}
		c.Warm(ctx)
		if token, _ := c.tokens.lookup(Credentials{ClientID: "i", ClientSecret: "s"}, time.Now()); token.value != "" {
			t.Errorf("%s: got a token", url)
		}
		if conn := c.opener.take(t.Context(), "https "+silent.Addr().String()); conn != nil {
			t.Errorf("%s: got a connection", url)
		}
		cancel()
	}
}

// Ensure that an API key needs no connection to the token endpoint, and leaves none behind.
func TestClient_Warm_apiKey(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	auth := httptest.NewUnstartedServer(http.NotFoundHandler())
	auth.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			close(ended)
		}
	}
	auth.Start()
	t.Cleanup(auth.Close)
	apiURL, _, connections, _ := countingServer(t, false)
	c := &Client{AuthURL: auth.URL, APIURL: apiURL,
		Credentials: &CredentialCache{Read: func(context.Context) (string, error) { return `{"api_key":"k"}`, nil }}}
	c.Warm(t.Context())
	select {
	case <-ended:
	case <-t.Context().Done():
		t.Error("the connection to the token endpoint is still there")
	}
	if _, err := c.CreateSession(t.Context(), SessionRequest{WorkflowID: "w"}); err != nil || connections.Load() != 1 {
		t.Errorf("got %d connections to the session API, error %v, want 1", connections.Load(), err)
	}
}

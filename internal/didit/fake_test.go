package didit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// What the tests send and get, unless they say otherwise.
const (
	prefix     = "/some/prefix"
	pairSecret = `{"client_id":"id-1","client_secret":"secret-1"}`
	keySecret  = `{"api_key":"key-1"}`
	okToken    = `{"access_token":"token-1","expires_in":86400}`
	okSession  = `{"session_id":"11111111-2222-3333-4444-555555555555","url":"https://verify.didit.me/session/abc","status":"Not Started"}`
	workflow   = "99999999-2222-3333-4444-555555555555"
	sessionID  = "11111111-2222-3333-4444-555555555555"
)

// named and nameless are requests that may and that may not be repeated.
var (
	named    = SessionRequest{WorkflowID: workflow, VendorData: "user-123"}
	nameless = SessionRequest{WorkflowID: workflow}
)

// seen is a request as it arrived.
type seen struct {
	method, uri, host string
	header            http.Header
	body              string
}

// fakeDidit serves the token and the session endpoint behind a path prefix, and keeps what it
// was asked. Everything else is 599, which no test expects.
type fakeDidit struct {
	*httptest.Server
	network     *network // where it listens; nil for the real one
	connections atomic.Int32

	mu               sync.Mutex
	tokens, sessions []seen
}

// newFake starts a server with a handler for each endpoint. A nil token handler hands out
// token-1, token-2 and so on.
func newFake(t *testing.T, token, session http.HandlerFunc) *fakeDidit {
	t.Helper()
	f := startFake(t, token, session)
	f.Start()
	return f
}

// newMemoryFake is newFake over a network in memory, for tests in a synctest bubble.
func newMemoryFake(t *testing.T, c *clock, token, session http.HandlerFunc) *fakeDidit {
	t.Helper()
	f := startMemoryFake(t, c, token, session)
	f.Start()
	return f
}

// startMemoryFake is newMemoryFake for a server that the caller starts.
func startMemoryFake(t *testing.T, c *clock, token, session http.HandlerFunc) *fakeDidit {
	t.Helper()
	f := startFake(t, token, session)
	f.network = newNetwork(t)
	_ = f.Listener.Close()
	f.Listener = f.network.listen()
	return f
}

// startFake is newFake for a server that the caller starts.
func startFake(t *testing.T, token, session http.HandlerFunc) *fakeDidit {
	t.Helper()
	if token == nil {
		token = numberedTokens()
	}
	f := new(fakeDidit)
	f.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("%s %s: body: %v", r.Method, r.RequestURI, err)
		}
		request := seen{r.Method, r.RequestURI, r.Host, r.Header.Clone(), string(body)}
		switch r.RequestURI {
		case prefix + "/auth/v2/token/":
			f.keep(&f.tokens, request)
			token(w, r)
		case prefix + "/v2/session/", prefix + "/v3/session/", prefix + "/v2/session/" + sessionID + "/decision/", prefix + "/v3/session/" + sessionID + "/decision/":
			f.keep(&f.sessions, request)
			session(w, r)
		default:
			t.Errorf("unexpected request %s %s", r.Method, r.RequestURI)
			w.WriteHeader(599)
		}
	}))
	f.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			f.connections.Add(1)
		}
	}
	t.Cleanup(f.Close)
	return f
}

func (f *fakeDidit) keep(list *[]seen, s seen) {
	f.mu.Lock()
	defer f.mu.Unlock()
	*list = append(*list, s)
}

func (f *fakeDidit) asked() (tokens, sessions []seen) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.tokens), slices.Clone(f.sessions)
}

// counts is how many token requests and session POSTs have arrived.
func (f *fakeDidit) counts() (tokens, sessions int) {
	t, s := f.asked()
	return len(t), len(s)
}

// patience is the limit of an attempt in tests over the real network, whose answers may be slow on
// a busy machine: long enough to end nothing but a test that hangs.
const patience = time.Hour

// client is a new client of the fake, with a clock that stands still. The limit of its attempts is
// the default one in memory alone.
func (f *fakeDidit) client(t *testing.T, source CredentialSource, c *clock) *Client {
	t.Helper()
	client := &Client{
		Credentials: source,
		AuthURL:     f.URL + prefix,
		APIURL:      f.URL + prefix + "/", // the slash must not be doubled
		Now:         c.Now,
	}
	if f.network != nil {
		client.Transport = f.network.transport(t)
		return client
	}
	transport := NewTransport()
	t.Cleanup(transport.CloseIdleConnections)
	client.Transport, client.AttemptTimeout = transport, patience
	return client
}

// reply answers with a status, a body, and headers in pairs.
func reply(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// cut answers with half of the body that it announces.
func cut(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body[:len(body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

// reset breaks the connection without an answer.
func reset(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	_ = conn.(*net.TCPConn).SetLinger(0)
	_ = conn.Close()
}

// hang answers nothing until the client has gone.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// sequence gives each request the next handler; the last one serves the rest too.
func sequence(handlers ...http.HandlerFunc) http.HandlerFunc {
	var n atomic.Int32
	return func(w http.ResponseWriter, r *http.Request) {
		i := min(int(n.Add(1)), len(handlers)) - 1
		handlers[i](w, r)
	}
}

func numberedTokens() http.HandlerFunc {
	var n atomic.Int32
	return func(w http.ResponseWriter, r *http.Request) {
		reply(200, fmt.Sprintf(`{"access_token":"token-%d","expires_in":86400}`, n.Add(1)))(w, r)
	}
}

// clock is a clock that the test moves.
type clock struct{ offset atomic.Int64 }

var clockStart = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

func (c *clock) Now() time.Time          { return clockStart.Add(time.Duration(c.offset.Load())) }
func (c *clock) advance(d time.Duration) { c.offset.Add(int64(d)) }

// secrets is a [CredentialCache] that reads the given strings in turn, and the last one from then
// on. A string that begins with ! is an error.
type secrets struct {
	CredentialCache
	reads atomic.Int32
}

var errStore = errors.New("the store is out of reach")

func newSecrets(c *clock, texts ...string) *secrets {
	s := new(secrets)
	s.Now = c.Now
	s.Read = func(context.Context) (string, error) {
		text := texts[min(int(s.reads.Add(1)), len(texts))-1]
		if strings.HasPrefix(text, "!") {
			return "", errStore
		}
		return text, nil
	}
	return s
}

// fixed is a source of credentials that never change.
func fixed(secret string) CredentialSource { return newSecrets(new(clock), secret) }

// failure is the [*Error] of a call, which must have failed with one.
func failure(t *testing.T, input any, err error) *Error {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("%v: got error %v (%T), want an *Error", input, err, err)
	}
	return e
}

func jsonText(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// attempts collects the attempts that a client observes.
type attempts struct {
	mu   sync.Mutex
	list []Attempt
}

func (a *attempts) observe(_ context.Context, one Attempt) {
	a.mu.Lock()
	defer a.mu.Unlock()
	one.Duration = 0
	a.list = append(a.list, one)
}

func (a *attempts) all() []Attempt {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.list)
}

// discardLog takes what a server says of handshakes that are meant to fail.
var discardLog = log.New(io.Discard, "", 0)

package didittest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"
)

const workflow = "11111111-2222-3333-4444-555555555555"

// A rig is a simulator on a port, and a client that follows no redirect.
type rig struct {
	*Server
	t      *testing.T
	client *http.Client
	origin string
}

// serve starts a simulator. Unless the test sets a DeliveryTimeout, a busy machine reaches none.
func serve(t *testing.T, s *Server) *rig {
	t.Helper()
	if s.DeliveryTimeout == 0 {
		s.DeliveryTimeout = time.Hour
	}
	ts := httptest.NewServer(s)
	t.Cleanup(ts.Close)
	t.Cleanup(s.Close)
	client := ts.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &rig{s, t, client, ts.URL}
}

// A reply is a response that was read to its end, or as far as it went.
type reply struct {
	status int
	header http.Header
	body   string
	err    error
}

func (r *rig) do(method, path, body string, header ...string) reply {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.origin+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return r.send(req)
}

func (r *rig) send(req *http.Request) reply {
	res, err := r.client.Do(req)
	if err != nil {
		return reply{err: err}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, res.Header, string(body), err}
}

// create sends a create request with the API key of the moment it was written for, the default one.
func (r *rig) create(body string) reply {
	r.t.Helper()
	return r.do("POST", "/v2/session/", body, "Content-Type", "application/json", "X-Api-Key", DefaultAPIKey)
}

// created is create for orders that cannot fail.
func (r *rig) created(body string) createBody {
	r.t.Helper()
	got := r.create(body)
	if got.err != nil || got.status != 201 {
		r.t.Fatalf("create %.200s: status %d, body %s, error %v", body, got.status, got.body, got.err)
	}
	return decode[createBody](r.t, got.body)
}

// form asks for a token with the given credentials.
func (r *rig) form(id, secret, body string) reply {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), "POST", r.origin+"/auth/v2/token/", strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.SetBasicAuth(id, secret)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r.send(req)
}

// token returns a fresh access token for the default credentials.
func (r *rig) token() string {
	r.t.Helper()
	got := r.form(DefaultClientID, DefaultClientSecret, "grant_type=client_credentials")
	if got.status != 200 {
		r.t.Fatalf("token: status %d, body %s", got.status, got.body)
	}
	return decode[tokenBody](r.t, got.body).AccessToken
}

// bearer creates a session with an access token and returns the status.
func (r *rig) bearer(token string) int {
	r.t.Helper()
	return r.do("POST", "/v2/session/", `{"workflow_id":"`+workflow+`"}`,
		"Content-Type", "application/json", "Authorization", "Bearer "+token).status
}

func decode[T any](t *testing.T, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("decode %s: %v", text, err)
	}
	return v
}

// A clock is moved by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Ensure Start serves on loopback, once, and Close ends it and may be repeated.
func TestServer_Start(t *testing.T) {
	t.Parallel()
	var s Server
	if got := s.URL(); got != "" {
		t.Errorf("URL before Start = %q, want none", got)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err == nil {
		t.Error("second Start succeeded")
	}
	if !strings.HasPrefix(s.URL(), "http://127.0.0.1:") {
		t.Errorf("URL = %q, want a loopback origin", s.URL())
	}
	res, err := http.Get(s.URL() + "/nothing")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(res.Body)
	res.Body.Close()
	if res.StatusCode != 404 || !bytes.Contains(body, []byte("<h1>Not Found</h1>")) {
		t.Errorf("unknown path: status %d, body %s", res.StatusCode, body)
	}
	s.Close()
	s.Close()
	// Another program may have the port by now, so the simulator's own count decides.
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", s.URL()+"/nothing", nil)
	if err != nil {
		t.Fatal(err)
	}
	if res, err := http.DefaultClient.Do(req); err == nil {
		res.Body.Close()
	}
	if n := s.Count(OpAny); n != 1 {
		t.Errorf("%d requests counted after Close, want the one before", n)
	}
	if err := s.Start(); err == nil {
		t.Error("Start after Close succeeded")
	}
}

// Ensure a path without its slash is redirected, keeps its query, and never does the work.
func TestServer_redirectsToSlash(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	for _, path := range []string{"/auth/v2/token", "/v2/session", "/v3/session"} {
		got := r.do("POST", path+"?a=b%2F", `{}`)
		if want := path + "/?a=b%2F"; got.status != 301 || got.header.Get("Location") != want {
			t.Errorf("POST %s: status %d to %q, want 301 to %q", path, got.status, got.header.Get("Location"), want)
		}
	}
	if n, m := r.Count(OpOther), r.Count(OpAny); n != 3 || m != 3 {
		t.Errorf("counted %d other of %d, want 3 of 3", n, m)
	}
}

func TestServer_methods(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	for _, path := range []string{"/auth/v2/token/", "/v2/session/", "/v3/session/"} {
		got := r.do("GET", path, "")
		if want := `{"detail":"Method \"GET\" not allowed."}`; got.status != 405 || got.body != want ||
			got.header.Get("Allow") != "POST" {
			t.Errorf("GET %s: status %d, body %s, Allow %q", path, got.status, got.body, got.header.Get("Allow"))
		}
	}
}

// Ensure a body over the limit is refused, and that this does not outlast the request.
func TestServer_bodyLimit(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	for _, tt := range []struct{ size, want int }{{maxBody, 404}, {maxBody + 1, 413}, {10, 404}} {
		if got := r.do("POST", "/nothing", strings.Repeat("x", tt.size)); got.status != tt.want {
			t.Errorf("%d bytes: status %d, want %d", tt.size, got.status, tt.want)
		}
	}
}

// Ensure TLS gives https session URLs.
func TestServer_tls(t *testing.T) {
	t.Parallel()
	s := &Server{}
	ts := httptest.NewTLSServer(s)
	t.Cleanup(ts.Close)
	t.Cleanup(s.Close)
	r := &rig{s, t, ts.Client(), ts.URL}
	if got := r.created(`{"workflow_id":"` + workflow + `"}`).URL; !strings.HasPrefix(got, ts.URL+"/session/") {
		t.Errorf("session URL %q, want one under %s", got, ts.URL)
	}
	r.Inject(Fault{Mode: ModeResetBefore})
	if got := r.create(`{"workflow_id":"` + workflow + `"}`); got.err == nil {
		t.Errorf("reset over TLS: status %d, want an error", got.status)
	}
}

// Ensure the modes that need the connection work over HTTP/2 as well, where they end the stream.
func TestServer_http2(t *testing.T) {
	t.Parallel()
	for _, mode := range []Mode{ModeResetBefore, ModeResetAfter, ModeTruncated} {
		s := &Server{}
		ts := httptest.NewUnstartedServer(s)
		ts.EnableHTTP2 = true
		ts.StartTLS()
		t.Cleanup(ts.Close)
		t.Cleanup(s.Close)
		r := &rig{s, t, ts.Client(), ts.URL}
		r.Inject(Fault{Mode: mode, Times: 1})
		if got := r.create(userOrder); got.err == nil {
			t.Errorf("%s: status %d, body %s; want an error", mode, got.status, got.body)
		}
		if got := r.create(userOrder); got.status != 201 || got.err != nil {
			t.Errorf("after %s: status %d, error %v", mode, got.status, got.err)
		}
	}
}

// Ensure a caller that leaves while sending is neither answered nor noted.
func TestServer_callerLeaves(t *testing.T) {
	t.Parallel()
	s := &Server{OnRequest: func(x Exchange) { t.Errorf("noted %+v", x) }}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("POST", "/v2/session/", iotest.ErrReader(io.ErrUnexpectedEOF)))
	if w.Body.Len() != 0 || s.Count(OpAny) != 0 {
		t.Errorf("body %s, %d counted", w.Body, s.Count(OpAny))
	}
}

// Ensure a fault is met exactly as often as it says, however many callers there are at once.
func TestServer_Inject_concurrency(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	r.Inject(Fault{Status: 503, Times: 10})
	var all sync.WaitGroup
	var refused atomic.Int32
	for range 40 {
		all.Go(func() {
			if r.create(userOrder).status == 503 {
				refused.Add(1)
			}
		})
	}
	all.Wait()
	if n := refused.Load(); n != 10 {
		t.Errorf("%d callers met the fault, want 10", n)
	}
}

// Ensure many callers at once see one session each, under the race detector.
func TestServer_concurrency(t *testing.T) {
	t.Parallel()
	var hooked sync.WaitGroup
	const callers, rounds = 16, 8
	hooked.Add(callers * rounds)
	r := serve(t, &Server{OnRequest: func(x Exchange) {
		if x.Op == OpCreate {
			hooked.Done()
		}
	}})
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			for range rounds {
				r.create(`{"workflow_id":"` + workflow + `","vendor_data":"user-` + string(rune('a'+i)) + `"}`)
				r.form(DefaultClientID, DefaultClientSecret, "grant_type=client_credentials")
				r.Inject(ServerError.At(OpToken).Once())
				r.SetCredentials("", "", "")
				r.RevokeTokens()
				for _, s := range r.Sessions() {
					r.SetStatus(s.ID, "In Progress")
				}
				r.Requests()
				r.ClearFaults()
			}
		})
	}
	all.Wait()
	hooked.Wait()
	if n := len(r.Sessions()); n != callers {
		t.Errorf("%d sessions, want %d", n, callers)
	}
	if n := r.Count(OpCreate); n != callers*rounds {
		t.Errorf("%d create requests counted, want %d", n, callers*rounds)
	}
}

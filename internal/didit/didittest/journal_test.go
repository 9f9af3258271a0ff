package didittest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// Ensure what is observed is what was sent, and never a credential.
func TestServer_Requests(t *testing.T) {
	t.Parallel()
	now := newClock()
	var hooked []Exchange // by requests that follow each other
	r := serve(t, &Server{Now: now.Now, OnRequest: func(x Exchange) { hooked = append(hooked, x) }})
	token := r.token()
	r.form(DefaultClientID, DefaultClientSecret, "client_secret="+DefaultClientSecret)
	r.bearer(token)
	v := r.created(userOrder)
	r.do("GET", "/session/"+v.SessionToken+"?x=1", "")
	r.do("GET", "/v2/session/"+v.SessionID+"/none/", "", "Authorization", token)
	r.do("GET", "/simulator/requests", "")

	got := r.Requests()
	want := []struct {
		op                               Op
		method, path                     string
		status                           int
		scheme, contentType, bodyContent string
	}{
		{OpToken, "POST", "/auth/v2/token/", 200, "Basic", "application/x-www-form-urlencoded", "grant_type=client_credentials"},
		{OpToken, "POST", "/auth/v2/token/", 400, "Basic", "application/x-www-form-urlencoded", "client_secret=REDACTED"},
		{OpCreate, "POST", "/v2/session/", 201, "Bearer", "application/json", `{"workflow_id":"` + workflow + `"}`},
		{OpCreate, "POST", "/v2/session/", 201, "x-api-key", "application/json", userOrder},
		{OpPage, "GET", "/session/REDACTED", 200, "", "", ""},
		{OpOther, "GET", "/v2/session/" + v.SessionID + "/none/", 404, "REDACTED", "", ""},
	}
	if len(got) != len(want) || len(hooked) != len(want) {
		t.Fatalf("%d requests, %d calls of the hook; want %d", len(got), len(hooked), len(want))
	}
	for i, w := range want {
		g := got[i]
		if g.Op != w.op || g.Method != w.method || g.Path != w.path || g.Status != w.status || g.AuthScheme != w.scheme ||
			g.ContentType != w.contentType || string(g.Body) != w.bodyContent || !g.Time.Equal(now.Now()) {
			t.Errorf("request %d: %+v body %s\nwant %+v", i, g, g.Body, w)
		}
		if !strings.HasPrefix(g.RemoteAddr, "127.0.0.1:") || !strings.HasPrefix(g.UserAgent, "Go-http-client") {
			t.Errorf("request %d: remote address %q, user agent %q", i, g.RemoteAddr, g.UserAgent)
		}
		if hooked[i] != g.Exchange {
			t.Errorf("hook %d: %+v, want %+v", i, hooked[i], g.Exchange)
		}
		text := fmt.Sprintf("%+v %s", g, g.Body)
		for _, secret := range []string{token, DefaultClientSecret, DefaultAPIKey, v.SessionToken} {
			if strings.Contains(text, secret) {
				t.Errorf("request %d holds a secret: %s", i, text)
			}
		}
	}
	clear(got[0].Body)
	if again := r.Requests(); string(again[0].Body) != want[0].bodyContent {
		t.Error("writing to a snapshot changed the journal")
	}
}

// Ensure a connection shows in the remote address. The test holds its connections itself, because
// net/http reuses one only if the write of the last request returned soon after its answer.
func TestServer_Requests_connections(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	var want []string
	for _, requests := range []int{2, 1} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(r.origin, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		reader := bufio.NewReader(conn)
		for range requests {
			req, err := http.NewRequestWithContext(t.Context(), "GET", r.origin+"/nothing", nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := req.Write(conn); err != nil {
				t.Fatal(err)
			}
			res, err := http.ReadResponse(reader, req)
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, res.Body)
			res.Body.Close()
			want = append(want, conn.LocalAddr().String())
		}
	}
	var got []string
	for _, request := range r.Requests() {
		got = append(got, request.RemoteAddr)
	}
	if !slices.Equal(got, want) {
		t.Errorf("remote addresses %q, want %q", got, want)
	}
}

func TestServer_Count(t *testing.T) {
	t.Parallel()
	r := serve(t, &Server{})
	r.token()
	r.create(userOrder)
	r.create(`{}`)
	r.do("GET", "/x", "")
	for op, want := range map[Op]int{OpAny: 4, OpToken: 1, OpCreate: 2, OpPage: 0, OpOther: 1} {
		if got := r.Count(op); got != want {
			t.Errorf("Count(%s) = %d, want %d", op, got, want)
		}
	}
}

// Ensure the oldest requests are forgotten, by number and by size, and still counted.
func TestJournal_bounds(t *testing.T) {
	t.Parallel()
	var j journal
	for i := range MaxRequests + 3 {
		j.add(&Request{Exchange: Exchange{Op: OpOther, Status: i}})
	}
	if len(j.items) != MaxRequests || j.items[0].Status != 3 || j.counts[OpOther] != MaxRequests+3 {
		t.Errorf("%d entries from %d, %d counted", len(j.items), j.items[0].Status, j.counts[OpOther])
	}
	j.add(&Request{Body: make([]byte, maxRequestBytes)})
	if len(j.items) != MaxRequests || j.bytes != maxRequestBytes {
		t.Errorf("%d entries of %d bytes, want %d of %d", len(j.items), j.bytes, MaxRequests, maxRequestBytes)
	}
	j.add(&Request{Body: make([]byte, 1)})
	if len(j.items) != 1 || j.bytes != 1 {
		t.Errorf("%d entries of %d bytes, want 1 of 1", len(j.items), j.bytes)
	}
}

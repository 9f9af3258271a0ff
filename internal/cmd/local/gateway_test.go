package main

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// Ensure that the gateway answers by itself what API Gateway answers by itself, and passes on the
// rest.
func TestSystem(t *testing.T) {
	t.Parallel()
	jwt := "x." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"jwt-user","exp":1}`)) + ".y"
	noSub := "x." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":["a","b"]}`)) + ".y"
	var log lockedBuffer
	s := startSystem(t, nil, &log)
	const json = "application/json"
	const unknown = "/sessions/11111111-1111-4111-8111-111111111111"
	const notFound = `{"message":"Not Found"}`
	for _, test := range []struct {
		name, method, path, authorization, contentType, body string
		status                                               int
		want                                                 string
	}{
		{"created", "POST", "/sessions", "Bearer alice", json, `{}`, 201, `"vendor_data":"alice"`},
		{"real JWT", "POST", "/sessions", "Bearer " + jwt, json, `{}`, 201, `"vendor_data":"jwt-user"`},
		{"claim that is a list", "POST", "/sessions", "Bearer " + noSub, json, `{}`, 401, `"code":"unauthenticated"`},
		{"no token", "POST", "/sessions", "", json, `{}`, 401, `{"message":"Unauthorized"}`},
		{"another scheme", "POST", "/sessions", "Basic YTpi", json, `{}`, 401, `{"message":"Unauthorized"}`},
		{"binary body", "POST", "/sessions", "Bearer alice", "application/octet-stream", "\x00\xff", 415, `"code":"unsupported_media_type"`},
		{"over 4 MiB", "POST", "/sessions", "Bearer alice", json, strings.Repeat(" ", 5<<20), 413, `"code":"payload_too_large"`},
		{"over 10 MB", "POST", "/sessions", "Bearer alice", json, strings.Repeat(" ", 10<<20+1), 413, `{"message":`},
		{"list", "GET", "/sessions", "Bearer alice", "", "", 200, `"next":"verify"`},
		{"list of a user without any", "GET", "/sessions", "Bearer newcomer", "", "", 200, `{"sessions":[]}`},
		{"list of another user", "GET", "/sessions?vendor_data=alice", "Bearer bob", "", "", 403, `"code":"vendor_data_mismatch"`},
		{"list without a token", "GET", "/sessions", "", "", "", 401, `{"message":"Unauthorized"}`},
		{"unknown session", "GET", unknown, "Bearer alice", "", "", 404, `"code":"not_found"`},
		{"session without a token", "GET", unknown, "", "", "", 401, `{"message":"Unauthorized"}`},
		{"an encoded id is decoded", "GET", strings.Replace(unknown, "1", "%31", 1), "Bearer alice", "", "", 404, `"code":"not_found"`},
		{"webhook without a signature", "POST", "/webhooks/didit", "", json, `{}`, 401, `"code":"unauthenticated"`},
		{"webhook over 1 MiB", "POST", "/webhooks/didit", "", json, strings.Repeat(" ", 1<<20+1), 413, `"code":"payload_too_large"`},
		{"webhook by another method", "GET", "/webhooks/didit", "", "", "", 404, notFound},
		{"another route", "POST", "/session", "Bearer alice", json, `{}`, 404, notFound},
		{"another method", "PUT", "/sessions", "Bearer alice", json, "{}", 404, notFound},
		{"no id", "GET", "/sessions/", "Bearer alice", "", "", 404, notFound},
		{"an id of two segments", "GET", "/sessions/a/b", "Bearer alice", "", "", 404, notFound},
		{"a path that others would clean", "GET", "//sessions", "Bearer alice", "", "", 404, notFound},
		{"page", "GET", "/", "", "", "", 200, "<title>didit-sessions"},
		{"another method of the page", "POST", "/", "", json, "{}", 404, notFound},
	} {
		response, body := do(t, test.method, s.url+test.path, test.authorization, test.contentType, test.body)
		if response.StatusCode != test.status || !strings.Contains(body, test.want) {
			t.Errorf("%s: got %d %.300s, want %d %s", test.name, response.StatusCode, body, test.status, test.want)
		}
	}
	for _, line := range []string{"gateway  201  POST /sessions", "didit    201  POST /v2/session/", "gateway  401  POST /sessions",
		"gateway  404  GET  /sessions/{session_id}", "gateway  404  GET  (another path)"} {
		if !strings.Contains(log.String(), line) {
			t.Errorf("got log\n%s\nwant %q in it", &log, line)
		}
	}
	if strings.Contains(log.String(), "alice") || strings.Contains(log.String(), "Bearer") {
		t.Errorf("the log names the user or the token:\n%s", &log)
	}
}

func TestSystem_iam(t *testing.T) {
	t.Parallel()
	s := startSystem(t, map[string]string{"CALLER_AUTH": "iam"}, io.Discard)
	for _, method := range []string{"POST", "GET"} {
		if response, body := do(t, method, s.url+"/sessions", "", "application/json", `{}`); response.StatusCode != 403 || body != `{"message":"Forbidden"}` {
			t.Errorf("unsigned %s: got %d %s", method, response.StatusCode, body)
		}
	}
	if _, body := do(t, "GET", s.url+"/", "", "", ""); !strings.Contains(body, `data-caller-auth="iam"`) {
		t.Errorf("the page does not know that callers sign by IAM")
	}
	const signed = "AWS4-HMAC-SHA256 x"
	response, body := do(t, "POST", s.url+"/sessions", signed, "application/json", `{"vendor_data":"u-1"}`)
	if response.StatusCode != 201 || !strings.Contains(body, `"vendor_data":"u-1"`) {
		t.Errorf("signed: got %d %s", response.StatusCode, body)
	}
	if response, body := do(t, "GET", s.url+"/sessions", signed, "", ""); response.StatusCode != 400 || !strings.Contains(body, "vendor_data") {
		t.Errorf("list without a user: got %d %s", response.StatusCode, body)
	}
	if response, body := do(t, "GET", s.url+"/sessions?vendor_data=u-1", signed, "", ""); response.StatusCode != 200 || !strings.Contains(body, `"next":"verify"`) {
		t.Errorf("list: got %d %s", response.StatusCode, body)
	}
}

func TestThrottle(t *testing.T) {
	t.Parallel()
	b := bucket{rate: 4, burst: 20}
	now := time.Unix(0, 0)
	passed := 0
	for range 100 {
		if b.take(now) {
			passed++
		}
	}
	if passed != 20 {
		t.Errorf("at once: got %d, want 20", passed)
	}
	if now = now.Add(time.Second); !b.take(now) {
		t.Error("a second later: refused")
	}
	g := &gateway{routes: routes(&functions{}, defaultRate, defaultBurst), log: &requestLog{out: io.Discard}}
	for _, route := range g.routes {
		route.throttle.used, route.throttle.last = route.throttle.burst, time.Now().Add(time.Hour)
		w := httptest.NewRecorder()
		r := httptest.NewRequest(route.method, strings.Replace(route.path, "{session_id}", "x", 1), strings.NewReader(`{}`))
		r.Header.Set("Authorization", "Bearer u")
		if g.ServeHTTP(w, r); w.Code != 429 || w.Body.String() != `{"message":"Too Many Requests"}` {
			t.Errorf("%s: got %d %s", route.key(), w.Code, w.Body)
		}
	}
}

// payload is what the tests read of an event.
type payload struct {
	Version, RouteKey, RawPath, RawQueryString, Body string
	Cookies                                          []string
	Headers, PathParameters, QueryStringParameters   map[string]string
	IsBase64Encoded                                  bool
	RequestContext                                   struct {
		RouteKey, RequestID, Stage string
		Authorizer                 map[string]any
		HTTP                       struct{ Method, Path, SourceIP string }
	}
}

// arrive is the event of a request on a route, as the function gets it.
func arrive(t *testing.T, g *gateway, r *http.Request, body string) payload {
	t.Helper()
	route, parameters := g.find(r)
	if route == nil {
		t.Fatalf("%s %s: no route", r.Method, r.URL)
	}
	authorizer, _ := g.authorize(r)
	var p payload
	if err := json.Unmarshal(arrival{r, route, parameters, []byte(body), authorizer, "id"}.event(), &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// Ensure that an event has the form that API Gateway documents.
func TestEvent(t *testing.T) {
	t.Parallel()
	g := &gateway{routes: routes(&functions{}, defaultRate, defaultBurst)}
	r := httptest.NewRequest(http.MethodPost, "/sessions?a=1&b=x%20y&a=2", nil)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer u")
	r.Header.Add("X-List", "a")
	r.Header.Add("X-List", "b")
	r.Header.Add("Cookie", "a=1; b=2")
	e := arrive(t, g, r, `{"é":1}`)
	if e.Version != "2.0" || e.RawPath != "/sessions" || e.RawQueryString != "a=1&b=x%20y&a=2" || e.Body != `{"é":1}` || e.IsBase64Encoded ||
		e.Headers["x-list"] != "a,b" || len(e.Cookies) != 2 || e.Headers["host"] != "example.com" ||
		e.QueryStringParameters["a"] != "1,2" || e.QueryStringParameters["b"] != "x y" || e.PathParameters != nil ||
		e.RouteKey != "POST /sessions" || e.RequestContext.Authorizer == nil {
		t.Errorf("got %+v", e)
	}
	r.Header.Set("Content-Type", "image/png")
	if e := arrive(t, g, r, "\xff"); !e.IsBase64Encoded || e.Body != "/w==" {
		t.Errorf("got %+v", e)
	}
}

// Ensure that each route names itself and its parameters, and that the open one has no authorizer.
func TestEvent_routes(t *testing.T) {
	t.Parallel()
	g := &gateway{routes: routes(&functions{}, defaultRate, defaultBurst)}
	for _, test := range []struct {
		method, target, key, path, id string
	}{
		{"GET", "/sessions", "GET /sessions", "/sessions", ""},
		{"GET", "/sessions/A%2Db%20c", "GET /sessions/{session_id}", "/sessions/A-b c", "A-b c"},
		{"POST", "/webhooks/didit", "POST /webhooks/didit", "/webhooks/didit", ""},
	} {
		e := arrive(t, g, httptest.NewRequest(test.method, test.target, nil), "")
		if e.RouteKey != test.key || e.RequestContext.RouteKey != test.key || e.RawPath != test.path || e.RequestContext.HTTP.Path != test.path ||
			e.RequestContext.HTTP.Method != test.method || e.PathParameters["session_id"] != test.id || e.RequestContext.Stage != "$default" ||
			e.RequestContext.Authorizer != nil {
			t.Errorf("%s %s: got %+v", test.method, test.target, e)
		}
	}
}

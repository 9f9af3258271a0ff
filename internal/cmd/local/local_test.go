package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// Ensure that the whole story ends as told, a numbered line a step.
func TestDemo(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := run(t.Context(), []string{"demo"}, nil, &out); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	lines := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
	for i, line := range lines[:len(lines)-1] {
		if !strings.HasPrefix(line, fmt.Sprintf("%2d. ", i+1)) {
			t.Errorf("line %d: got %q", i+1, line)
		}
	}
	if len(lines) != 11 || !strings.HasPrefix(lines[10], "done") {
		t.Errorf("got %d lines:\n%s", len(lines), &out)
	}
}

// Ensure that a story that ends otherwise is an error.
func TestDemo_fails(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := demo(ctx, io.Discard); err == nil || !strings.Contains(err.Error(), "step 1") {
		t.Errorf("got %v, want an error at step 1", err)
	}
}

// lockedBuffer is written by servers while a test reads it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func env(values map[string]string) func(string) string {
	return func(name string) string { return values[name] }
}

func startSystem(t *testing.T, values map[string]string, out io.Writer) *system {
	t.Helper()
	s, err := start(options{listen: "127.0.0.1", getenv: env(values), out: out})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.stop() })
	return s
}

func do(t *testing.T, method, url, authorization, contentType, body string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(text)
}

// Ensure that the gateway answers by itself what API Gateway answers by itself, and passes on the rest.
func TestSystem(t *testing.T) {
	t.Parallel()
	jwt := "x." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"jwt-user","exp":1}`)) + ".y"
	noSub := "x." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":["a","b"]}`)) + ".y"
	var log lockedBuffer
	s := startSystem(t, nil, &log)
	const json = "application/json"
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
		{"another route", "POST", "/session", "Bearer alice", json, `{}`, 404, `{"message":"Not Found"}`},
		{"another method", "GET", "/sessions", "Bearer alice", "", "", 404, `{"message":"Not Found"}`},
		{"binary body", "POST", "/sessions", "Bearer alice", "application/octet-stream", "\x00\xff", 415, `"code":"unsupported_media_type"`},
		{"over 4 MiB", "POST", "/sessions", "Bearer alice", json, strings.Repeat(" ", 5<<20), 413, `"code":"payload_too_large"`},
		{"over 10 MB", "POST", "/sessions", "Bearer alice", json, strings.Repeat(" ", 10<<20+1), 413, `{"message":`},
		{"page", "GET", "/", "", "", "", 200, "<title>didit-sessions"},
		{"unknown session on the page", "GET", "/local/sessions/x", "", "", "", 404, "Not Found"},
	} {
		response, body := do(t, test.method, s.url+test.path, test.authorization, test.contentType, test.body)
		if response.StatusCode != test.status || !strings.Contains(body, test.want) {
			t.Errorf("%s: got %d %.300s, want %d %s", test.name, response.StatusCode, body, test.status, test.want)
		}
	}
	for _, line := range []string{"gateway  201  POST /sessions", "didit    201  POST /v2/session/", "gateway  401  POST /sessions"} {
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
	if response, body := do(t, "POST", s.url+"/sessions", "", "application/json", `{}`); response.StatusCode != 403 || body != `{"message":"Forbidden"}` {
		t.Errorf("unsigned: got %d %s", response.StatusCode, body)
	}
	if _, body := do(t, "GET", s.url+"/", "", "", ""); !strings.Contains(body, `data-caller-auth="iam"`) {
		t.Errorf("the page does not know that callers sign by IAM")
	}
	response, body := do(t, "POST", s.url+"/sessions", "AWS4-HMAC-SHA256 x", "application/json", `{"vendor_data":"u-1"}`)
	if response.StatusCode != 201 || !strings.Contains(body, `"vendor_data":"u-1"`) {
		t.Errorf("signed: got %d %s", response.StatusCode, body)
	}
}

func TestSystem_cors(t *testing.T) {
	t.Parallel()
	s := startSystem(t, nil, io.Discard)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, s.url+"/sessions", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Origin", "http://localhost:5173")
	r.Header.Set("Access-Control-Request-Method", "POST")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != 204 || response.Header.Get("Access-Control-Allow-Headers") != "authorization,content-type" {
		t.Errorf("got %d %v", response.StatusCode, response.Header)
	}
}

func TestStart_refused(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	port := fmt.Sprint(taken.Addr().(*net.TCPAddr).Port)
	for _, test := range []struct {
		args   []string
		values map[string]string
		want   string
	}{
		{[]string{"-port", port}, nil, "port " + port + " is taken"},
		{[]string{"-port", "0", "-simulator-port", port}, nil, "choose one with -simulator-port"},
		{[]string{"-port", "70000"}, nil, "between 0 and 65535"},
		{[]string{"-listen", "203.0.113.7", "-port", "0"}, nil, "cannot listen on 203.0.113.7"},
		{[]string{"-port", "0"}, map[string]string{"WORKFLOW_IDS": "kyc"}, "WORKFLOW_IDS"},
		{[]string{"serve"}, nil, `unknown argument "serve"`},
		{[]string{"demo", "fast"}, nil, "demo takes no arguments"},
	} {
		err := run(t.Context(), test.args, env(test.values), io.Discard)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: got %v, want %q", test.args, err, test.want)
		}
	}
}

// Ensure that run says what runs where and ends when its context does.
func TestRun_stops(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out lockedBuffer
	if err := run(ctx, []string{"-port", "0"}, env(nil), &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"page and API      http://127.0.0.1:", "Didit simulator   http://127.0.0.1:", "curl -s http://", "stopping"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("got %s, want %q in it", &out, want)
		}
	}
}

func TestThrottle(t *testing.T) {
	t.Parallel()
	var b bucket
	now := time.Unix(0, 0)
	passed := 0
	for range 100 {
		if b.take(now) {
			passed++
		}
	}
	if passed != throttleBurst {
		t.Errorf("at once: got %d, want %v", passed, throttleBurst)
	}
	if now = now.Add(time.Second); !b.take(now) {
		t.Error("a second later: refused")
	}
	g := &gateway{log: &requestLog{out: io.Discard}}
	g.throttle.used, g.throttle.last = throttleBurst, time.Now().Add(time.Hour)
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/sessions", strings.NewReader(`{}`))
	r.Header.Set("Authorization", "Bearer u")
	if g.ServeHTTP(w, r); w.Code != 429 || w.Body.String() != `{"message":"Too Many Requests"}` {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

// Ensure that an event has the form that API Gateway documents.
func TestEvent(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodPost, "/sessions?a=1", nil)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Add("X-List", "a")
	r.Header.Add("X-List", "b")
	r.Header.Add("Cookie", "a=1; b=2")
	var e struct {
		Version, RawPath, RawQueryString, Body string
		Cookies                                []string
		Headers                                map[string]string
		IsBase64Encoded                        bool
	}
	g := &gateway{}
	if err := json.Unmarshal(g.event(r, []byte(`{"é":1}`), nil), &e); err != nil {
		t.Fatal(err)
	}
	if e.Version != "2.0" || e.RawPath != "/sessions" || e.RawQueryString != "a=1" || e.Body != `{"é":1}` || e.IsBase64Encoded ||
		e.Headers["x-list"] != "a,b" || len(e.Cookies) != 2 || e.Headers["host"] != "example.com" {
		t.Errorf("got %+v", e)
	}
	r.Header.Set("Content-Type", "image/png")
	if err := json.Unmarshal(g.event(r, []byte{0xff}, nil), &e); err != nil || !e.IsBase64Encoded || e.Body != "/w==" {
		t.Errorf("got %+v, %v", e, err)
	}
}

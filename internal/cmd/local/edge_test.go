package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// askFrom sends a request of a page.
func askFrom(t *testing.T, method, url, origin string, header ...string) http.Header {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	response.Header.Set("Status", response.Status)
	return response.Header
}

// Ensure that pages of the configured origins get the headers that API Gateway sends them, and
// others none.
func TestEdge_cors(t *testing.T) {
	t.Parallel()
	const app, other = "http://localhost:5173", "https://other.example.com"
	for _, test := range []struct {
		allowed, origin, method, path string
		status, want                  string
	}{
		{app, app, "OPTIONS", "/sessions", "204 No Content", app},
		{app, app, "OPTIONS", "/elsewhere", "204 No Content", app},
		{app + ", " + other, other, "OPTIONS", "/sessions", "204 No Content", other},
		{app, other, "OPTIONS", "/sessions", "204 No Content", ""},
		{"*", other, "OPTIONS", "/sessions", "204 No Content", "*"},
		{"", app, "OPTIONS", "/sessions", "204 No Content", app}, // by default
		{"", other, "OPTIONS", "/sessions", "204 No Content", ""},
		{app, "", "OPTIONS", "/sessions", "404 Not Found", ""},
		{app, app, "GET", "/sessions", "200 OK", app},
		{app, other, "GET", "/sessions", "200 OK", ""},
		{"*", other, "GET", "/sessions", "200 OK", "*"},
		{app, app, "PUT", "/sessions", "404 Not Found", app},
		{"*", app, "GET", "/local/state", "200 OK", ""}, // for the page alone
	} {
		s := startSystem(t, map[string]string{"ALLOWED_ORIGINS": test.allowed}, io.Discard)
		h := askFrom(t, test.method, s.url+test.path, test.origin, "Access-Control-Request-Method", "POST", "Authorization", "alice")
		preflight := h.Get("Access-Control-Allow-Methods") == corsMethods && h.Get("Access-Control-Allow-Headers") == corsHeaders && h.Get("Access-Control-Max-Age") == corsMaxAge
		if got := h.Get("Access-Control-Allow-Origin"); h.Get("Status") != test.status || got != test.want || preflight != (test.method == "OPTIONS" && got != "") ||
			(h.Get("Access-Control-Expose-Headers") == corsExposed) != (got != "") {
			t.Errorf("%s %s of %s, allowed %q: got %v, want %s for %q", test.method, test.path, test.origin, test.allowed, h, test.status, test.want)
		}
	}
	r := httptest.NewRequest(http.MethodOptions, "/sessions", nil)
	r.Header.Set("Origin", app)
	r.Header.Set("Access-Control-Request-Method", "POST")
	if (edge{}).isPreflight(r) {
		t.Error("without origins the gateway answers a preflight, want 404")
	}
}

// Ensure that the log says when a page cannot read an answer because of its origin.
func TestEdge_corsHint(t *testing.T) {
	t.Parallel()
	var log lockedBuffer
	s := startSystem(t, nil, &log)
	askFrom(t, "GET", s.url+"/sessions", s.url, "Authorization", "alice") // the own page
	if strings.Contains(log.String(), "ALLOWED_ORIGINS") {
		t.Errorf("the own page: got log\n%s", &log)
	}
	if askFrom(t, "GET", s.url+"/sessions", "https://app.example.com", "Authorization", "alice"); !strings.Contains(log.String(), "ALLOWED_ORIGINS") {
		t.Errorf("got log\n%s", &log)
	}
}

// Ensure that request line and headers may have API Gateway's 10,240 bytes, and no more.
func TestEdge_headers(t *testing.T) {
	t.Parallel()
	s := startSystem(t, nil, io.Discard)
	for length, want := range map[int]string{9_000: "200 OK", 10_240: "431 Request Header Fields Too Large", 60_000: "431 Request Header Fields Too Large"} {
		for what, h := range map[string]http.Header{
			"token": askFrom(t, "GET", s.url+"/sessions", "", "Authorization", "alice", "X-Long", strings.Repeat("x", length)),
			"query": askFrom(t, "GET", s.url+"/sessions?x="+strings.Repeat("x", length), "", "Authorization", "alice"),
		} {
			if h.Get("Status") != want || h.Get("Apigw-Requestid") == "" {
				t.Errorf("%s of %d bytes: got %v, want %s", what, length, h, want)
			}
		}
	}
}

// Ensure that the throttle of new sessions is a parameter.
func TestEdge_throttle(t *testing.T) {
	t.Parallel()
	s := startSystem(t, map[string]string{"THROTTLE_RATE": "1", "THROTTLE_BURST": "2"}, io.Discard)
	var refused int
	for range 4 {
		if response, _ := do(t, "POST", s.url+"/sessions", "alice", "", "{}"); response.StatusCode == 429 {
			refused++
		}
	}
	if refused == 0 { // on a busy machine one of the two may have passed a second later
		t.Error("got no 429 of four requests at once, with a burst of two")
	}
}

// Ensure that wrong variables of the gateway are named, all of them.
func TestLoadEdge(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, value string }{
		{"ALLOWED_ORIGINS", "app.example.com"}, {"ALLOWED_ORIGINS", "https://app.example.com/"}, {"ALLOWED_ORIGINS", "*,https://app.example.com"},
		{"ALLOWED_ORIGINS", "https://App.example.com"}, {"ALLOWED_ORIGINS", "https://app.example.com:443"}, {"ALLOWED_ORIGINS", "http://localhost:80"},
		{"THROTTLE_RATE", "0"}, {"THROTTLE_RATE", "fast"}, {"THROTTLE_RATE", "NaN"}, {"THROTTLE_BURST", "-1"}, {"JWT_ISSUER", "https://x"}, {"JWT_AUDIENCE", "app"},
	} {
		if _, err := load(env(map[string]string{test.name: test.value})); err == nil || !strings.Contains(err.Error(), test.name) {
			t.Errorf("%s=%s: got %v", test.name, test.value, err)
		}
	}
	_, err := load(env(map[string]string{"ALLOWED_ORIGINS": "x", "THROTTLE_RATE": "x", "CALLER_AUTH": "x"}))
	for _, name := range []string{"ALLOWED_ORIGINS", "THROTTLE_RATE", "CALLER_AUTH"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want %s in it", err, name)
		}
	}
}

package apitest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const (
	workflow = "11111111-2222-3333-4444-555555555555"
	session  = `{"session_id":"s","session_number":1,"session_token":"t","vendor_data":"u","metadata":null,` +
		`"status":"Not Started","workflow_id":"` + workflow + `","callback":null,"url":"https://verify.didit.me/session/t"`
	status = `{"session_id":"s","workflow_id":null,"vendor_data":"u","status":"In Review","final":false,"next":"wait",` +
		`"created_at":"2026-11-23T12:00:00Z","updated_at":"2026-11-23T12:00:00Z","checks":[]}`
	problem = `{"type":"urn:didit-sessions:problem:invalid_request","title":"t","status":400,"detail":"d","code":"invalid_request","request_id":"r"`
)

func header(values ...string) http.Header {
	h := http.Header{"Cache-Control": {"no-store"}, "Content-Type": {"application/json"}, "Location": {"sessions/s"}}
	for i := 0; i < len(values); i += 2 {
		if h.Del(values[i]); values[i+1] != "" {
			h.Set(values[i], values[i+1])
		}
	}
	return h
}

// Ensure that an exchange that differs from the document in one thing is reported, with that thing.
func TestExchange(t *testing.T) {
	t.Parallel()
	asProblem := header("Content-Type", "application/problem+json", "Location", "")
	for _, test := range []struct {
		name string
		e    Exchange
		want string // "": valid
	}{
		{"session", Exchange{"POST", "/sessions", []byte(`{"callback":"myapp://x"}`), 201, header(), []byte(session + `}`)}, ""},
		{"problem", Exchange{"POST", "/sessions", []byte(`{"callback":7}`), 400, asProblem, []byte(problem + `}`)}, ""},
		{"gateway's own", Exchange{"GET", "/sessions", nil, 401, header("Cache-Control", "", "WWW-Authenticate", "Bearer"), []byte(`{"message":"Unauthorized"}`)}, ""},
		{"no such route", Exchange{"GET", "/other", nil, 404, nil, nil}, ""},
		{"not this method", Exchange{"PUT", "/sessions", nil, 404, nil, nil}, ""},
		{"a slash at the end", Exchange{"GET", "/sessions/", nil, 404, nil, nil}, ""},

		{"unknown member", Exchange{"POST", "/sessions", nil, 201, header(), []byte(session + `,"new":1}`)}, "/new"},
		{"unknown member of a field", Exchange{"POST", "/sessions", nil, 400, asProblem, []byte(problem + `,"errors":[{"field":"f","message":"m","new":1}]}`)}, "/errors/0/new"},
		{"missing member", Exchange{"POST", "/sessions", nil, 201, header(), []byte(`{}`)}, "missing"},
		{"code of another status", Exchange{"GET", "/sessions", nil, 400, asProblem, []byte(strings.Replace(problem, `"code":"invalid_request"`, `"code":"internal"`, 1) + `}`)}, "/code"},
		{"other status within", Exchange{"GET", "/sessions", nil, 400, asProblem, []byte(strings.Replace(problem, `400`, `401`, 1) + `}`)}, "/status"},
		{"status", Exchange{"GET", "/sessions", nil, 418, asProblem, []byte(problem + `}`)}, "status is not supported"},
		{"media type", Exchange{"POST", "/sessions", nil, 201, header("Content-Type", "text/html"), []byte(session + `}`)}, "text/html"},
		{"no Location", Exchange{"POST", "/sessions", nil, 201, header("Location", ""), []byte(session + `}`)}, `"Location"`},
		{"other Location", Exchange{"POST", "/sessions", nil, 201, header("Location", "/sessions/s"), []byte(session + `}`)}, `"Location"`},
		{"cached", Exchange{"POST", "/sessions", nil, 201, header("Cache-Control", "private"), []byte(session + `}`)}, `"Cache-Control"`},
		{"cached problem", Exchange{"GET", "/sessions", nil, 503, header("Cache-Control", "", "Content-Type", "application/problem+json"),
			[]byte(strings.NewReplacer("400", "503", "invalid_request", "throttled").Replace(problem) + `}`)}, "no-store"},
		{"no Retry-After", Exchange{"GET", "/sessions", nil, 503, asProblem, []byte(strings.NewReplacer("400", "503", "invalid_request", "throttled").Replace(problem) + `}`)}, "Retry-After"},
		{"status without Retry-After", Exchange{"GET", "/sessions/" + workflow, nil, 200, header(), []byte(status)}, "Retry-After"},
		{"accepted though unknown", Exchange{"POST", "/sessions", []byte(`{"new":1}`), 201, header(), []byte(session + `}`)}, "'new'"},
		{"accepted though without a country", Exchange{"POST", "/sessions", []byte(`{"expected_details":{"address":"x"}}`), 201, header(), []byte(session + `}`)}, "country"},
	} {
		err := test.e.validate()
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: got %v, want %q", test.name, err, test.want)
		}
	}
}

// Ensure that a handler's requests and answers pass unchanged.
func TestHandler(t *testing.T) {
	t.Parallel()
	h := Handler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header()["X-Two"] = []string{"a", "b"}
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write(append(body, '!'))
	}))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPut, "/elsewhere", strings.NewReader("body")))
	if w.Code != http.StatusTeapot || w.Body.String() != "body!" || len(w.Header()["X-Two"]) != 2 {
		t.Errorf("got %d %s %v", w.Code, w.Body, w.Header())
	}
}

package lambdahttp

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
)

var _ lambda.Handler = (*Handler)(nil)

// seen is what a handler saw of a request.
type seen struct {
	method, path, query, host, remote, body string
	bodyErr                                 error
	header                                  http.Header
	gateway                                 RequestContext
}

func spy(s *seen, answer func(http.ResponseWriter)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		*s = seen{r.Method, r.URL.Path, r.URL.RawQuery, r.Host, r.RemoteAddr, string(body), err, r.Header, FromContext(r.Context())}
		if answer != nil {
			answer(w)
		}
	})
}

// payload is an event with the given members of its own and of its request context.
func payload(t *testing.T, members, requestContext map[string]any) []byte {
	t.Helper()
	rc := map[string]any{"requestId": "r-1", "stage": "$default", "domainName": "api.example.com",
		"http": map[string]any{"method": "POST", "path": "/sessions", "sourceIp": "192.0.2.1"}}
	maps.Copy(rc, requestContext)
	e := map[string]any{"version": "2.0", "rawPath": "/sessions", "rawQueryString": "a=1&b=2", "requestContext": rc,
		"headers": map[string]any{"content-type": "application/json", "x-list": "a, b,c"}}
	maps.Copy(e, members)
	out, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestHandler_request(t *testing.T) {
	t.Parallel()
	claims := map[string]any{"jwt": map[string]any{"claims": map[string]any{"sub": "u", "n": 7}}}
	tests := []struct {
		name           string
		members        map[string]any
		requestContext map[string]any
		check          func(seen) (got, want any)
	}{
		{"text body", map[string]any{"body": `{"a":"é"}`}, nil, func(s seen) (any, any) { return s.body, `{"a":"é"}` }},
		{"no body", nil, nil, func(s seen) (any, any) { return s.body, "" }},
		{"base64 body", map[string]any{"body": base64.StdEncoding.EncodeToString([]byte{0, 255, 'x'}), "isBase64Encoded": true}, nil,
			func(s seen) (any, any) { return s.body, "\x00\xffx" }},
		{"broken base64", map[string]any{"body": "%%%", "isBase64Encoded": true}, nil, func(s seen) (any, any) { return s.bodyErr != nil, true }},
		{"header copied whole", nil, nil, func(s seen) (any, any) { return s.header.Values("X-List")[0], "a, b,c" }},
		{"cookies", map[string]any{"cookies": []string{"a=1", "b=2"}}, nil, func(s seen) (any, any) { return s.header.Get("Cookie"), "a=1; b=2" }},
		{"query", nil, nil, func(s seen) (any, any) { return s.query, "a=1&b=2" }},
		{"host and source", nil, nil, func(s seen) (any, any) { return s.host + " " + s.remote, "api.example.com 192.0.2.1" }},
		{"default stage", nil, nil, func(s seen) (any, any) { return s.path, "/sessions" }},
		{"named stage", map[string]any{"rawPath": "/prod/sessions"}, map[string]any{"stage": "prod"}, func(s seen) (any, any) { return s.path, "/sessions" }},
		{"stage alone", map[string]any{"rawPath": "/prod"}, map[string]any{"stage": "prod"}, func(s seen) (any, any) { return s.path, "/" }},
		{"path that begins like the stage", map[string]any{"rawPath": "/production"}, map[string]any{"stage": "prod"}, func(s seen) (any, any) { return s.path, "/production" }},
		{"dots stay in the path", map[string]any{"rawPath": "//evil/../sessions"}, nil, func(s seen) (any, any) { return s.path, "//evil/../sessions" }},
		{"mapping key of a custom domain", map[string]any{"rawPath": "/idv/sessions", "routeKey": "POST /sessions"}, nil,
			func(s seen) (any, any) { return s.path, "/sessions" }},
		{"mapping key of many levels, and a stage", map[string]any{"rawPath": "/prod/a/b/webhooks/didit", "routeKey": "POST /webhooks/didit"},
			map[string]any{"stage": "prod"}, func(s seen) (any, any) { return s.path, "/webhooks/didit" }},
		{"parameter", map[string]any{"rawPath": "/idv/sessions/x", "routeKey": "GET /sessions/{session_id}", "pathParameters": map[string]string{"session_id": "A%/b", "other": "y"}},
			nil, func(s seen) (any, any) { return s.path, "/sessions/A%/b" }},
		{"greedy parameter", map[string]any{"routeKey": "ANY /files/{proxy+}", "pathParameters": map[string]string{"proxy": "a/b"}},
			nil, func(s seen) (any, any) { return s.method + " " + s.path, "POST /files/a/b" }},
		{"parameter without a value", map[string]any{"rawPath": "/sessions/x", "routeKey": "GET /sessions/{session_id}", "pathParameters": nil},
			nil, func(s seen) (any, any) { return s.path, "/sessions/" }},
		{"parameter that names a parameter", map[string]any{"routeKey": "GET /{a}/{b}", "pathParameters": map[string]string{"a": "{b}", "b": "c"}},
			nil, func(s seen) (any, any) { return s.path, "/{b}/c" }},
		{"the default route", map[string]any{"rawPath": "/prod/sessions", "routeKey": "$default"}, map[string]any{"stage": "prod"},
			func(s seen) (any, any) { return s.path, "/sessions" }},
		{"headers of a length that API Gateway refuses", map[string]any{"headers": map[string]string{"x-long": strings.Repeat("a", maxHeader)}}, nil,
			func(s seen) (any, any) { return len(s.header), 0 }},
		{"request id", nil, nil, func(s seen) (any, any) { return s.gateway.RequestID, "r-1" }},
		{"claims", nil, map[string]any{"authorizer": claims}, func(s seen) (any, any) {
			return fmt.Sprintf("%s %s", s.gateway.Claims["sub"], s.gateway.Claims["n"]), `"u" 7`
		}},
		{"no authorizer", nil, nil, func(s seen) (any, any) { return s.gateway.Claims == nil && !s.gateway.IAM, true }},
		{"authorizer of another shape", nil, map[string]any{"authorizer": []int{1}}, func(s seen) (any, any) { return s.gateway.Claims == nil && !s.gateway.IAM, true }},
		{"claims of another shape", nil, map[string]any{"authorizer": map[string]any{"jwt": map[string]any{"claims": "x"}}},
			func(s seen) (any, any) { return s.gateway.Claims == nil, true }},
		{"iam", nil, map[string]any{"authorizer": map[string]any{"iam": map[string]any{"cognitoIdentity": nil}}},
			func(s seen) (any, any) { return s.gateway.IAM && !s.gateway.IdentityPool, true }},
		{"iam null", nil, map[string]any{"authorizer": map[string]any{"iam": nil}}, func(s seen) (any, any) { return s.gateway.IAM, false }},
		{"iam of an identity pool", nil, map[string]any{"authorizer": map[string]any{"iam": map[string]any{"cognitoIdentity": map[string]any{"identityId": "x"}}}},
			func(s seen) (any, any) { return s.gateway.IAM && s.gateway.IdentityPool, true }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var s seen
			h := &Handler{HTTP: spy(&s, nil)}
			if _, err := h.Invoke(t.Context(), payload(t, test.members, test.requestContext)); err != nil {
				t.Fatal(err)
			}
			if got, want := test.check(s); got != want {
				t.Errorf("got %#v, want %#v", got, want)
			}
		})
	}
}

func TestHandler_answer(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		write func(http.ResponseWriter)
		want  string
	}{
		{"nothing written", func(http.ResponseWriter) {}, `{"statusCode":200,"headers":{},"body":"","isBase64Encoded":false}`},
		{"json, unescaped", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(201)
			w.WriteHeader(500)
			_, _ = io.WriteString(w, `"<&>"`)
		}, `{"statusCode":201,"headers":{"content-type":"application/json"},"body":"\"<&>\"","isBase64Encoded":false}`},
		{"problem json is text", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/problem+json; charset=utf-8")
			_, _ = io.WriteString(w, `{}`)
		}, `{"statusCode":200,"headers":{"content-type":"application/problem+json; charset=utf-8"},"body":"{}","isBase64Encoded":false}`},
		{"binary", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "image/png")
			_, _ = w.Write([]byte{1, 2})
		}, `{"statusCode":200,"headers":{"content-type":"image/png"},"body":"AQI=","isBase64Encoded":true}`},
		{"broken UTF-8 is not text", func(w http.ResponseWriter) { _, _ = w.Write([]byte{0xff}) },
			`{"statusCode":200,"headers":{},"body":"/w==","isBase64Encoded":true}`},
		{"cookies", func(w http.ResponseWriter) {
			w.Header().Add("Set-Cookie", "a=1")
			w.Header().Add("Set-Cookie", "b=2")
		}, `{"statusCode":200,"headers":{},"cookies":["a=1","b=2"],"body":"","isBase64Encoded":false}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var s seen
			got, err := (&Handler{HTTP: spy(&s, test.write)}).Invoke(t.Context(), payload(t, nil, nil))
			if err != nil || string(got) != test.want {
				t.Errorf("got %s, %v\nwant %s", got, err, test.want)
			}
		})
	}
}

type namedError struct{ name, text string }

func (e namedError) Error() string     { return e.text }
func (e namedError) ErrorType() string { return e.name }

func TestHandler_direct(t *testing.T) {
	t.Parallel()
	var failure error
	h := &Handler{Direct: func(_ context.Context, p []byte) ([]byte, error) { return p, failure }}
	got, err := h.Invoke(t.Context(), []byte(`{"workflow_id":"x"}`))
	if err != nil || string(got) != `{"workflow_id":"x"}` {
		t.Errorf("got %s, %v", got, err)
	}
	for _, test := range []struct {
		name string
		err  error
		want messages.InvokeResponse_Error
	}{
		{"named", namedError{"Throttled", "text"}, messages.InvokeResponse_Error{Type: "Throttled", Message: "text"}},
		{"named and wrapped", fmt.Errorf("secret: %w", namedError{"Throttled", "text"}), messages.InvokeResponse_Error{Type: "Throttled", Message: "text"}},
		{"foreign", errors.New("secret"), messages.InvokeResponse_Error{Type: "InternalError", Message: "Something went wrong on our side."}},
	} {
		failure = test.err
		_, err := h.Invoke(t.Context(), []byte(`{}`))
		got, ok := err.(messages.InvokeResponse_Error) //nolint: aws-lambda-go wants this type by value, not wrapped
		if !ok || got.Type != test.want.Type || got.Message != test.want.Message {
			t.Errorf("%s: got %#v, want %#v", test.name, err, test.want)
		}
	}
	if _, err := (&Handler{}).Invoke(t.Context(), []byte(`{}`)); err == nil || err.(messages.InvokeResponse_Error).Type != "InvalidRequest" {
		t.Errorf("without a direct door: got %v, want InvalidRequest", err)
	}
	if _, err := (&Handler{}).Invoke(t.Context(), payload(t, nil, nil)); err == nil || err.(messages.InvokeResponse_Error).Type != "InvalidRequest" {
		t.Errorf("without an HTTP door: got %v, want InvalidRequest", err)
	}
}

// Ensure that the door is HTTP's for exactly the payloads that API Gateway makes.
func TestHandler_door(t *testing.T) {
	t.Parallel()
	events, err := filepath.Glob("../../events/*.json")
	if err != nil || len(events) == 0 {
		t.Fatal("no events", err)
	}
	for _, file := range events {
		p, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := door(t, p), strings.Contains(file, "-http-"); got != want {
			t.Errorf("%s: got HTTP %v, want %v", file, got, want)
		}
	}
	for _, p := range []string{"", "null", "[]", `"2.0"`, "{", `{"version":"2.0"}`, `{"version":"1.0","requestContext":{"http":{"method":"POST"}}}`,
		`{"version":2.0,"requestContext":{"http":{"method":"POST"}}}`, `{"version":"2.0","requestContext":{"http":{"method":""}}}`} {
		if door(t, []byte(p)) {
			t.Errorf("payload %q came in by HTTP", p)
		}
	}
}

// Ensure that a function without a route gets an HTTP request as any other payload, so that it
// refuses and counts it.
func TestHandler_noRoutes(t *testing.T) {
	t.Parallel()
	var got []byte
	h := &Handler{Direct: func(_ context.Context, p []byte) ([]byte, error) { got = p; return nil, nil }}
	p := payload(t, map[string]any{"rawPath": "/sessions"}, nil)
	if _, err := h.Invoke(t.Context(), p); err != nil || !bytes.Equal(got, p) {
		t.Errorf("got %q, error %v, want the payload", got, err)
	}
}

// door reports whether the payload reaches the HTTP door; it must reach exactly one.
func door(t testing.TB, p []byte) bool {
	t.Helper()
	var byHTTP, direct int
	h := &Handler{
		HTTP:   http.HandlerFunc(func(http.ResponseWriter, *http.Request) { byHTTP++ }),
		Direct: func(context.Context, []byte) ([]byte, error) { direct++; return nil, nil },
	}
	if _, err := h.Invoke(t.Context(), p); err != nil {
		t.Fatalf("payload %q: %v", p, err)
	}
	if byHTTP+direct != 1 {
		t.Fatalf("payload %q: %d times HTTP, %d times direct", p, byHTTP, direct)
	}
	return byHTTP == 1
}

// Ensure that whatever an HTTP caller sends, wrapped as API Gateway wraps it, comes in by HTTP.
func FuzzDoor(f *testing.F) {
	f.Add("/sessions", "a=b", "content-type", "application/json", `{"version":"1.0"}`, false)
	f.Add("/", "", "x", "", `{"workflow_id":"x","requestContext":{}}`, true)
	f.Add("/\x00", "%", "", "\xff", "\xff\xfe", false)
	f.Fuzz(func(t *testing.T, path, query, header, value, body string, isBase64 bool) {
		p := payload(t, map[string]any{"rawPath": path, "rawQueryString": query, "headers": map[string]string{header: value},
			"body": body, "isBase64Encoded": isBase64}, nil)
		if !door(t, p) {
			t.Errorf("payload %q did not come in by HTTP", p)
		}
	})
}

func TestHandler_deadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, test := range []struct{ invocation, http, direct time.Duration }{
			{0, 26 * time.Second, 15 * time.Minute},
			{15 * time.Minute, 26 * time.Second, 15*time.Minute - time.Second},
			{28 * time.Second, 26 * time.Second, 27 * time.Second},
			{20 * time.Second, 19 * time.Second, 19 * time.Second},
			{2 * time.Second, 1500 * time.Millisecond, 1500 * time.Millisecond},
		} {
			ctx := t.Context()
			if test.invocation > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, test.invocation)
				defer cancel()
			}
			var got time.Duration
			left := func(ctx context.Context) {
				deadline, _ := ctx.Deadline()
				got = time.Until(deadline)
			}
			h := &Handler{
				HTTP:   http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { left(r.Context()) }),
				Direct: func(ctx context.Context, _ []byte) ([]byte, error) { left(ctx); return nil, nil },
			}
			for _, door := range []struct {
				payload []byte
				want    time.Duration
			}{{payload(t, nil, nil), test.http}, {[]byte(`{}`), test.direct}} {
				if _, err := h.Invoke(ctx, door.payload); err != nil || got != door.want {
					t.Errorf("invocation of %v, %.12s: got %v, %v, want %v", test.invocation, door.payload, got, err, door.want)
				}
			}
		}
	})
}

// Ensure that a probe is answered without a door, and that nothing else is taken for one.
func TestHandler_probe(t *testing.T) {
	t.Parallel()
	h := &Handler{Direct: func(context.Context, []byte) ([]byte, error) { return []byte(`"direct"`), nil }}
	for payload, want := range map[string]string{
		`{"probe":true}`:        "{}",
		" {\"probe\" : true}\n": "{}",
		`{"probe":false}`:       `"direct"`,
		`{"probe":"true"}`:      `"direct"`,
		`{"probe":true,"a":1}`:  `"direct"`,
		`[{"probe":true}]`:      `"direct"`,
		`{"probe":true`:         `"direct"`,
		`{}`:                    `"direct"`,
		`{"probe":true` + strings.Repeat(" ", maxProbe) + `}`: `"direct"`,
	} {
		if got, err := h.Invoke(t.Context(), []byte(payload)); err != nil || string(got) != want {
			t.Errorf("%q: got %s, %v, want %s", payload, got, err, want)
		}
	}
}

package lambdahttp

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// event is the part of API Gateway's payload that is used (API Gateway: Working with AWS Lambda
// proxy integrations for HTTP APIs, payload format version 2.0). It prints as redacted.
type event struct {
	hidden
	Version        string                     `json:"version"`
	RouteKey       string                     `json:"routeKey"`
	RawPath        string                     `json:"rawPath"`
	PathParameters bounded[map[string]string] `json:"pathParameters"`
	RawQueryString string                     `json:"rawQueryString"`
	Cookies        bounded[[]string]          `json:"cookies"`
	Headers        bounded[map[string]string] `json:"headers"`
	Body           body                       `json:"body"`
	IsBase64       bool                       `json:"isBase64Encoded"`
	RequestContext struct {
		RequestID  string                   `json:"requestId"`
		Stage      string                   `json:"stage"`
		DomainName string                   `json:"domainName"`
		Authorizer bounded[json.RawMessage] `json:"authorizer"`
		HTTP       struct {
			Method   string `json:"method"`
			SourceIP string `json:"sourceIp"`
		} `json:"http"`
	} `json:"requestContext"`
}

// maxHeader is far more than API Gateway passes on of request line and headers, whose values are
// all that a bounded member has: 10,240 bytes (API Gateway: HTTP API quotas).
const maxHeader = 256 << 10

// bounded is a member of a payload that is left out if it is longer than API Gateway makes it: a
// direct invocation may have one of that name, too, and a map takes many times the memory of its
// text.
type bounded[T any] struct {
	hidden
	value T
}

func (b *bounded[T]) UnmarshalJSON(text []byte) error {
	if len(text) > maxHeader {
		return nil
	}
	return json.Unmarshal(text, &b.value)
}

// RequestContext is what API Gateway knows of a request, the proof of its caller included: the part
// of the payload's requestContext that is not in the [http.Request]. It prints as redacted.
type RequestContext struct {
	// RequestID is API Gateway's id of the request.
	RequestID string
	// Claims are the JSON values of a JWT's claims by name; nil without a JWT authorizer. API
	// Gateway converts them to strings.
	Claims map[string]json.RawMessage
	// IAM is true if API Gateway authorised the request by IAM.
	IAM bool
	// IdentityPool is true if the IAM identity belongs to a Cognito identity pool: an end user's
	// device, not a server.
	IdentityPool bool
}

type contextKey struct{}

// FromContext returns what API Gateway knows of a request that [Handler.HTTP] serves, given the
// request's context. For any other context it returns the zero value.
func FromContext(ctx context.Context) RequestContext {
	c, _ := ctx.Value(contextKey{}).(RequestContext)
	return c
}

func serve(ctx context.Context, h http.Handler, e event) ([]byte, error) {
	w := &recorder{header: http.Header{}}
	h.ServeHTTP(w, e.request(context.WithValue(ctx, contextKey{}, e.context())))
	return w.answer()
}

// context returns the request's context. An authorizer block of an unexpected shape proves nothing.
func (e event) context() RequestContext {
	c := RequestContext{RequestID: e.RequestContext.RequestID}
	var authorizer struct {
		JWT struct {
			Claims map[string]json.RawMessage `json:"claims"`
		} `json:"jwt"`
		IAM *struct {
			CognitoIdentity json.RawMessage `json:"cognitoIdentity"`
		} `json:"iam"`
	}
	if json.Unmarshal(e.RequestContext.Authorizer.value, &authorizer) != nil {
		return c
	}
	c.Claims = authorizer.JWT.Claims
	if iam := authorizer.IAM; iam != nil {
		c.IAM = true
		c.IdentityPool = len(iam.CognitoIdentity) > 0 && string(iam.CognitoIdentity) != "null"
	}
	return c
}

func (e event) request(ctx context.Context) *http.Request {
	var body io.Reader = bytes.NewReader(e.Body.text)
	length := len(e.Body.text)
	if e.IsBase64 {
		body = base64.NewDecoder(base64.StdEncoding, body)
		length = length/4*3 - bytes.Count(e.Body.text[max(0, length-2):], []byte("="))
	}
	header := make(http.Header, len(e.Headers.value)+1)
	for name, value := range e.Headers.value {
		header.Set(name, value)
	}
	if cookies := e.Cookies.value; len(cookies) > 0 {
		header.Set("Cookie", strings.Join(cookies, "; "))
	}
	r := &http.Request{
		Method: e.RequestContext.HTTP.Method,
		URL:    &url.URL{Path: e.path(), RawQuery: e.RawQueryString},
		Proto:  "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        header,
		Body:          io.NopCloser(body),
		ContentLength: int64(length),
		Host:          e.RequestContext.DomainName,
		RemoteAddr:    e.RequestContext.HTTP.SourceIP,
	}
	return r.WithContext(ctx)
}

// path returns the path of the route that API Gateway matched, with the parameters in their places:
// under a custom domain rawPath begins with the key of the API mapping. Without a route it is
// rawPath.
func (e event) path() string {
	if _, route, ok := strings.Cut(e.RouteKey, " "); ok {
		segments := strings.Split(route, "/")
		for i, segment := range segments {
			if name, ok := strings.CutPrefix(segment, "{"); ok {
				segments[i] = e.PathParameters.value[strings.TrimRight(name, "+}")]
			}
		}
		return strings.Join(segments, "/")
	}
	path := e.RawPath
	// The path begins with the stage's name unless the stage is $default.
	if stage := "/" + e.RequestContext.Stage; path == stage || strings.HasPrefix(path, stage+"/") {
		path = strings.TrimPrefix(path, stage)
	}
	return cmp.Or(path, "/")
}

// recorder keeps what a handler writes. It prints as redacted.
type recorder struct {
	hidden
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *recorder) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}

// answer returns what was written in API Gateway's form. This package does not share the encoder of
// the others: it could be published alone.
func (w *recorder) answer() ([]byte, error) {
	w.WriteHeader(http.StatusOK)
	a := struct {
		StatusCode int               `json:"statusCode"`
		Headers    map[string]string `json:"headers"`
		Cookies    []string          `json:"cookies,omitempty"`
		Body       string            `json:"body"`
		IsBase64   bool              `json:"isBase64Encoded"`
	}{StatusCode: w.status, Headers: make(map[string]string, len(w.header)), Cookies: w.header.Values("Set-Cookie")}
	for name, values := range w.header {
		if name != "Set-Cookie" {
			a.Headers[strings.ToLower(name)] = strings.Join(values, ", ")
		}
	}
	if isText(w.header.Get("Content-Type")) && utf8.Valid(w.body.Bytes()) {
		a.Body = w.body.String()
	} else {
		a.Body, a.IsBase64 = base64.StdEncoding.EncodeToString(w.body.Bytes()), true
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(a)
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), err
}

func isText(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.ToLower(strings.TrimSpace(media))
	return media == "" || strings.HasPrefix(media, "text/") ||
		strings.HasSuffix(media, "/json") || strings.HasSuffix(media, "+json")
}

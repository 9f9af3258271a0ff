package main

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"maps"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"didit-sessions/internal/awsfake"
)

// Limits of API Gateway's HTTP APIs and of Lambda (API Gateway: quotas for HTTP APIs; Lambda:
// quotas).
const (
	maxGatewayBody = 10 << 20
	maxGatewayHead = 10240 // bytes of the request line and the headers
	maxPayload     = 6 << 20
	gatewayTimeout = 30 * time.Second
)

// function answers invocations.
type function interface {
	Invoke(ctx context.Context, payload []byte) ([]byte, error)
}

// route is a route of template.yaml.
type route struct {
	method   string
	path     string // a last segment in braces matches any one segment
	open     bool   // without an authorizer
	function function
	throttle bucket
}

// routes returns all routes of template.yaml, with its throttles; that of new sessions is a
// parameter.
func routes(f *functions, rate, burst float64) []*route {
	return []*route{
		{method: "POST", path: "/sessions", function: f.create, throttle: bucket{rate: rate, burst: burst}},
		{method: "GET", path: "/sessions", function: f.get, throttle: bucket{rate: 20, burst: 40}},
		{method: "GET", path: "/sessions/{session_id}", function: f.get, throttle: bucket{rate: 50, burst: 100}},
		{method: "POST", path: "/webhooks/didit", open: true, function: f.webhook, throttle: bucket{rate: 500, burst: 1000}},
	}
}

// key returns the name of the route in events.
func (r *route) key() string { return r.method + " " + r.path }

// match returns the parameters of a path, and whether the route serves it. A parameter is the last
// segment.
func (r *route) match(path string) (parameters map[string]string, ok bool) {
	prefix, name, hasParameter := strings.Cut(r.path, "{")
	value, ok := strings.CutPrefix(path, prefix)
	if !hasParameter {
		return nil, ok && value == ""
	}
	if !ok || value == "" || strings.Contains(value, "/") {
		return nil, false
	}
	return map[string]string{strings.TrimSuffix(name, "}"): value}, true
}

// gateway does to a request what API Gateway's HTTP API does: it answers by itself what API Gateway
// answers by itself, and passes the rest on as events of payload format 2.0.
type gateway struct {
	routes         []*route
	edge           edge
	iam            bool   // authorizes by IAM instead of by JWT
	principalClaim string // of a token that is only a word; empty means sub
	log            *requestLog
	limit          time.Duration // of a function; 0 means gatewayTimeout
	requests       atomic.Int64
}

// hostKey is the key of the Host header in the context of an invocation.
type hostKey struct{}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	route, parameters := g.find(r)
	// Log the route, not the path: which session a caller asks about is private.
	path := "(another path)"
	if route != nil {
		path = route.path
	}
	id := "local-" + strconv.FormatInt(g.requests.Add(1), 10)
	a := g.serve(r, route, parameters, id)
	w.Header().Set("Apigw-Requestid", id)
	visible := g.edge.cors(w.Header(), r)
	send(w, a)
	g.log.answer(r, path, a, time.Since(start))
	if !visible {
		g.log.hint("the page's origin is not in %s, so its browser hides the answer from it", allowedOrigins)
	}
}

// find returns the route of a request, or nil.
func (g *gateway) find(r *http.Request) (*route, map[string]string) {
	for _, route := range g.routes {
		if parameters, ok := route.match(r.URL.Path); ok && route.method == r.Method {
			return route, parameters
		}
	}
	return nil, nil
}

func (g *gateway) serve(r *http.Request, to *route, parameters map[string]string, id string) awsfake.HTTPAnswer {
	switch {
	case headLength(r) > maxGatewayHead:
		return message(http.StatusRequestHeaderFieldsTooLarge, "")
	case g.edge.isPreflight(r):
		return awsfake.HTTPAnswer{Status: http.StatusNoContent}
	case to == nil:
		return message(http.StatusNotFound, "")
	}
	var authorizer map[string]any
	if !to.open {
		var refusal *awsfake.HTTPAnswer
		if authorizer, refusal = g.authorize(r); refusal != nil {
			return *refusal
		}
	}
	if !to.throttle.take(time.Now()) {
		return message(http.StatusTooManyRequests, "")
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxGatewayBody+1))
	if err != nil {
		return message(http.StatusBadRequest, "") // the caller left
	}
	arrival := arrival{r, to, parameters, body, authorizer, id}
	payload := arrival.event()
	if len(body) > maxGatewayBody || len(payload) > maxPayload {
		return message(http.StatusRequestEntityTooLarge, "")
	}
	ctx, cancel := context.WithTimeout(context.WithValue(r.Context(), hostKey{}, r.Host), cmp.Or(g.limit, gatewayTimeout))
	defer cancel()
	answer, err := to.function.Invoke(ctx, payload)
	switch {
	case ctx.Err() != nil:
		return message(http.StatusServiceUnavailable, "")
	case err != nil:
		return message(http.StatusInternalServerError, "")
	}
	a, err := awsfake.ReadHTTPAnswer(answer)
	if err != nil || a.Status < 100 || a.Status > 999 {
		return message(http.StatusInternalServerError, "")
	}
	return a
}

// message is an answer of API Gateway itself; an empty text means that of the status.
func message(status int, text string) awsfake.HTTPAnswer {
	return jsonAnswer(status, map[string]string{"message": cmp.Or(text, http.StatusText(status))})
}

// headLength returns how long the request line and the headers are, in bytes.
func headLength(r *http.Request) int {
	n := len(r.Method) + len(r.RequestURI) + len(r.Proto) + len("  \r\nHost: \r\n\r\n") + len(r.Host)
	for name, values := range r.Header {
		for _, value := range values {
			n += len(name) + len(": \r\n") + len(value)
		}
	}
	return n
}

func jsonAnswer(status int, v any) awsfake.HTTPAnswer {
	body, _ := json.Marshal(v)
	return awsfake.HTTPAnswer{Status: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: body}
}

func send(w http.ResponseWriter, a awsfake.HTTPAnswer) {
	maps.Copy(w.Header(), a.Header)
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body)
}

// bucket is the throttle of a route: it holds up to burst requests, begins full, and refills at
// rate requests a second. It is safe for concurrent use and must not be copied after first use.
type bucket struct {
	rate, burst float64

	mu   sync.Mutex
	used float64
	last time.Time
}

// take reports whether one more request passes.
func (b *bucket) take(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.last.IsZero() {
		b.used = math.Max(0, b.used-now.Sub(b.last).Seconds()*b.rate)
	}
	b.last = now
	if b.used+1 > b.burst {
		return false
	}
	b.used++
	return true
}

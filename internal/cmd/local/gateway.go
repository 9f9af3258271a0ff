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

// routes returns all routes of template.yaml, with its throttles.
func routes(f *functions) []*route {
	return []*route{
		{method: "POST", path: "/sessions", function: f.create, throttle: bucket{rate: 4, burst: 20}},
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
	routes   []*route
	iam      bool // authorizes by IAM instead of by JWT
	log      *requestLog
	limit    time.Duration // of a function; 0 means gatewayTimeout
	requests atomic.Int64
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	route, parameters := g.find(r)
	// Log the route, not the path: which session a caller asks about is private.
	path := "(another path)"
	if route != nil {
		path = route.path
	}
	a := g.serve(r, route, parameters)
	cors(w, r)
	send(w, a)
	g.log.request("gateway", r.Method, path, a.Status, time.Since(start).Round(time.Millisecond).String())
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

func (g *gateway) serve(r *http.Request, to *route, parameters map[string]string) awsfake.HTTPAnswer {
	if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
		return awsfake.HTTPAnswer{Status: http.StatusNoContent}
	}
	if to == nil {
		return message(http.StatusNotFound, "")
	}
	var authorizer map[string]any
	if !to.open {
		var refusal int
		if authorizer, refusal = g.authorize(r); refusal != 0 {
			return message(refusal, "")
		}
	}
	if !to.throttle.take(time.Now()) {
		return message(http.StatusTooManyRequests, "")
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxGatewayBody+1))
	if err != nil {
		return message(http.StatusBadRequest, "") // the caller left
	}
	arrival := arrival{r, to, parameters, body, authorizer, "local-" + strconv.FormatInt(g.requests.Add(1), 10)}
	payload := arrival.event()
	if len(body) > maxGatewayBody || len(payload) > maxPayload {
		return message(http.StatusRequestEntityTooLarge, "")
	}
	ctx, cancel := context.WithTimeout(r.Context(), cmp.Or(g.limit, gatewayTimeout))
	defer cancel()
	answer, err := to.function.Invoke(ctx, payload)
	if err != nil {
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
	a := jsonAnswer(status, map[string]string{"message": cmp.Or(text, http.StatusText(status))})
	if status == http.StatusUnauthorized {
		a.Header.Set("WWW-Authenticate", "Bearer")
	}
	return a
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

// cors allows pages of every origin: this gateway serves one developer.
func cors(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Origin") == "" {
		return
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "location,retry-after")
	if r.Method == http.MethodOptions {
		h.Set("Access-Control-Allow-Methods", "GET,POST")
		h.Set("Access-Control-Allow-Headers",
			"authorization,content-type,x-amz-content-sha256,x-amz-date,x-amz-security-token")
	}
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

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
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
	path     string // a segment in braces matches any one segment
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

// match returns the parameters of a path, and whether the route serves it.
func (r *route) match(path string) (parameters map[string]string, ok bool) {
	want, got := strings.Split(r.path, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return nil, false
	}
	for i, segment := range want {
		name, isParameter := strings.CutPrefix(segment, "{")
		switch {
		case isParameter && got[i] != "":
			parameters = map[string]string{strings.TrimSuffix(name, "}"): got[i]}
		case segment != got[i]:
			return nil, false
		}
	}
	return parameters, true
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
	g.cors(w, r)
	seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	start := time.Now()
	route, parameters := g.find(r)
	// Log the route, not the path: which session a caller asks about is private.
	path := "(another path)"
	if route != nil {
		path = route.path
	}
	g.serve(seen, r, route, parameters)
	g.log.request("gateway", r.Method, path, seen.status, time.Since(start).Round(time.Millisecond).String())
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

func (g *gateway) serve(w http.ResponseWriter, r *http.Request, to *route, parameters map[string]string) {
	if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if to == nil {
		message(w, http.StatusNotFound, "Not Found")
		return
	}
	var authorizer map[string]any
	if !to.open {
		var refusal int
		if authorizer, refusal = g.authorize(r); refusal != 0 {
			refuse(w, refusal)
			return
		}
	}
	if !to.throttle.take(time.Now()) {
		message(w, http.StatusTooManyRequests, "Too Many Requests")
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxGatewayBody+1))
	if err != nil {
		return // the caller left
	}
	arrival := arrival{r, to, parameters, body, authorizer, "local-" + strconv.FormatInt(g.requests.Add(1), 10)}
	payload := arrival.event()
	if len(body) > maxGatewayBody || len(payload) > maxPayload {
		message(w, http.StatusRequestEntityTooLarge, "Request Entity Too Large")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), cmp.Or(g.limit, gatewayTimeout))
	defer cancel()
	answer, err := to.function.Invoke(ctx, payload)
	if err != nil || !writeAnswer(w, answer) {
		message(w, http.StatusInternalServerError, "Internal Server Error")
	}
}

func refuse(w http.ResponseWriter, status int) {
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	message(w, status, http.StatusText(status))
}

// message answers as API Gateway itself does.
func message(w http.ResponseWriter, status int, text string) {
	writeJSON(w, status, map[string]string{"message": text})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, _ := json.Marshal(v)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// cors allows pages of every origin: this gateway serves one developer.
func (g *gateway) cors(w http.ResponseWriter, r *http.Request) {
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

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

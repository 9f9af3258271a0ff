package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"mime"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

// Limits of API Gateway's HTTP APIs and of Lambda (API Gateway: quotas for HTTP APIs; Lambda:
// quotas), and the template's throttle.
const (
	gatewayBodyLimit = 10 << 20
	lambdaLimit      = 6 << 20
	gatewayTimeout   = 30 * time.Second
	throttleRate     = 4.0 // requests per second
	throttleBurst    = 20.0
)

// gateway does to a request what API Gateway's HTTP API does: it answers by itself what API
// Gateway answers by itself, and makes an event of payload format 2.0 of the rest.
type gateway struct {
	function interface {
		Invoke(ctx context.Context, payload []byte) ([]byte, error)
	}
	iam      bool // authorise by IAM instead of by JWT
	log      *requestLog
	requests atomic.Int64
	throttle bucket
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.cors(w, r)
	seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	start := time.Now()
	g.serve(seen, r)
	path := r.URL.Path
	if path != "/sessions" {
		path = "(another path)"
	}
	g.log.line("gateway", r.Method, path, seen.status, time.Since(start).Round(time.Millisecond).String())
}

func (g *gateway) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if r.Method != http.MethodPost || r.URL.Path != "/sessions" {
		message(w, http.StatusNotFound, "Not Found")
		return
	}
	authorizer, refusal := g.authorize(r)
	switch {
	case refusal == http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", "Bearer")
		message(w, refusal, "Unauthorized")
		return
	case refusal != 0:
		message(w, refusal, "Forbidden")
		return
	case !g.throttle.take(time.Now()):
		message(w, http.StatusTooManyRequests, "Too Many Requests")
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, gatewayBodyLimit+1))
	if err != nil {
		return // the caller is gone
	}
	payload := g.event(r, body, authorizer)
	if len(body) > gatewayBodyLimit || len(payload) > lambdaLimit {
		message(w, http.StatusRequestEntityTooLarge, "Request Entity Too Large")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), gatewayTimeout)
	defer cancel()
	answer, err := g.function.Invoke(ctx, payload)
	if err != nil || !writeAnswer(w, answer) {
		message(w, http.StatusInternalServerError, "Internal Server Error")
	}
}

// message is an answer of API Gateway itself.
func message(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"message":%q}`, text)
}

// cors lets pages of every origin in: this gateway serves one developer.
func (g *gateway) cors(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Origin") == "" {
		return
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "location,retry-after")
	if r.Method == http.MethodOptions {
		h.Set("Access-Control-Allow-Methods", "POST")
		h.Set("Access-Control-Allow-Headers", "authorization,content-type")
	}
}

// authorize makes the event's authorizer block, or says with which status to refuse.
func (g *gateway) authorize(r *http.Request) (block map[string]any, refusal int) {
	header := r.Header.Get("Authorization")
	if g.iam {
		if !strings.HasPrefix(header, "AWS4-HMAC-SHA256") {
			return nil, http.StatusForbidden
		}
		return map[string]any{"iam": map[string]any{"accountId": "123456789012", "cognitoIdentity": nil,
			"userArn": "arn:aws:iam::123456789012:user/local"}}, 0
	}
	kind, word, _ := strings.Cut(header, " ")
	word = strings.TrimSpace(word)
	if !strings.EqualFold(kind, "Bearer") || word == "" {
		return nil, http.StatusUnauthorized
	}
	return map[string]any{"jwt": map[string]any{"claims": claims(word), "scopes": nil}}, 0
}

// claims reads a JWT without verifying it; a word that is none is the user's name. API Gateway
// makes texts of all claims.
func claims(word string) map[string]string {
	parts := strings.Split(word, ".")
	if len(parts) == 3 {
		payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
		var values map[string]any
		if err == nil && json.Unmarshal(payload, &values) == nil {
			texts := make(map[string]string, len(values))
			for name, value := range values {
				texts[name] = claimText(value)
			}
			return texts
		}
	}
	return map[string]string{"sub": word}
}

// claimText is what API Gateway makes of a claim: numbers in digits, lists as [a b], objects as
// JSON.
func claimText(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []any:
		texts := make([]string, len(v))
		for i, item := range v {
			texts[i] = claimText(item)
		}
		return "[" + strings.Join(texts, " ") + "]"
	default:
		text, _ := json.Marshal(v)
		return string(text)
	}
}

// event is payload format 2.0 (API Gateway: Working with AWS Lambda proxy integrations for HTTP
// APIs).
func (g *gateway) event(r *http.Request, body []byte, authorizer map[string]any) []byte {
	headers := map[string]string{"host": r.Host}
	for name, values := range r.Header {
		if name != "Cookie" {
			headers[strings.ToLower(name)] = strings.Join(values, ",")
		}
	}
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	now := time.Now().UTC()
	e := map[string]any{
		"version": "2.0", "routeKey": "POST /sessions", "rawPath": r.URL.EscapedPath(), "rawQueryString": r.URL.RawQuery,
		"headers": headers,
		"requestContext": map[string]any{
			"accountId": "123456789012", "apiId": "local", "authorizer": authorizer, "domainName": r.Host,
			"requestId": "local-" + strconv.FormatInt(g.requests.Add(1), 10), "routeKey": "POST /sessions", "stage": "$default",
			"time": now.Format("02/Jan/2006:15:04:05 -0700"), "timeEpoch": now.UnixMilli(),
			"http": map[string]any{"method": r.Method, "path": r.URL.Path, "protocol": r.Proto, "sourceIp": host, "userAgent": r.UserAgent()},
		},
	}
	if cookies := r.Header.Values("Cookie"); len(cookies) > 0 {
		e["cookies"] = strings.Split(strings.Join(cookies, "; "), "; ")
	}
	if len(body) > 0 {
		text := isText(r.Header.Get("Content-Type")) && utf8.Valid(body)
		e["isBase64Encoded"] = !text
		e["body"] = base64.StdEncoding.EncodeToString(body)
		if text {
			e["body"] = string(body)
		}
	}
	payload, _ := json.Marshal(e)
	return payload
}

func isText(contentType string) bool {
	media, _, _ := mime.ParseMediaType(contentType)
	return media == "" || strings.HasPrefix(media, "text/") || media == "application/json" || strings.HasSuffix(media, "+json")
}

// writeAnswer sends what the function answered, and reports whether it had the right form.
func writeAnswer(w http.ResponseWriter, answer []byte) bool {
	var a struct {
		StatusCode int               `json:"statusCode"`
		Headers    map[string]string `json:"headers"`
		Cookies    []string          `json:"cookies"`
		Body       string            `json:"body"`
		IsBase64   bool              `json:"isBase64Encoded"`
	}
	if json.Unmarshal(answer, &a) != nil || a.StatusCode < 100 || a.StatusCode > 999 {
		return false
	}
	body := []byte(a.Body)
	if a.IsBase64 {
		decoded, err := base64.StdEncoding.DecodeString(a.Body)
		if err != nil {
			return false
		}
		body = decoded
	}
	for name, value := range a.Headers {
		w.Header().Set(name, value)
	}
	for _, cookie := range a.Cookies {
		w.Header().Add("Set-Cookie", cookie)
	}
	w.WriteHeader(a.StatusCode)
	_, _ = w.Write(body)
	return true
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// bucket is the throttle: it holds up to throttleBurst requests and fills at throttleRate. The
// zero value is full.
type bucket struct {
	mu   sync.Mutex
	used float64
	last time.Time
}

func (b *bucket) take(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.last.IsZero() {
		b.used = math.Max(0, b.used-now.Sub(b.last).Seconds()*throttleRate)
	}
	b.last = now
	if b.used+1 > throttleBurst {
		return false
	}
	b.used++
	return true
}

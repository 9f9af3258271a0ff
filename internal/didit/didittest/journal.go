package didittest

import (
	"bytes"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// MaxRequests is how many requests a [Server] keeps; the oldest are forgotten first.
const MaxRequests = 1_000

// maxRequestBytes bounds the bodies of the kept requests together, 64 MiB.
const maxRequestBytes = 64 << 20

// An Exchange is a request and how it was answered. It holds nothing secret or personal and is fit
// for a log.
type Exchange struct {
	Time   time.Time `json:"time"` // when the request had been read
	Op     Op        `json:"op"`   // never [OpAny]
	Method string    `json:"method"`
	Path   string    `json:"path"`   // without the query; a session token in it reads REDACTED
	Status int       `json:"status"` // 0 while unanswered, and for good if a fault sends no answer
	Fault  string    `json:"fault"`  // name of the fault it met, or its mode; "" if none
}

// A Request is an [Exchange] with more of the request, for tests. It never holds a credential, but
// its body is the caller's and may hold personal data.
type Request struct {
	Exchange

	AuthScheme  string `json:"auth_scheme"`  // first word of Authorization; "x-api-key" for that header; "" for neither
	ContentType string `json:"content_type"` // as sent
	UserAgent   string `json:"user_agent"`   // as sent
	RemoteAddr  string `json:"remote_addr"`  // host:port; the same for requests on one connection
	Body        Body   `json:"body"`         // as sent, the client secret replaced by REDACTED; empty for OpPage
}

// A Body is what was sent. In JSON it is a string.
type Body []byte

// MarshalText returns the body itself.
func (b Body) MarshalText() ([]byte, error) { return b, nil }

func (r *Request) size() int { return len(r.Body) }

// Requests returns the latest requests, oldest first: at most [MaxRequests], fewer where bodies are
// large. Those to the control API are not among them.
func (s *Server) Requests() []Request {
	defer s.lock()()
	list := make([]Request, 0, len(s.requests.items))
	for _, e := range s.requests.items {
		r := *e
		r.Body = slices.Clone(r.Body)
		list = append(list, r)
	}
	return list
}

// Count returns how many requests of an op were received since the start, including forgotten ones;
// [OpAny] counts all. A request counts once its body has been read, answered or not.
func (s *Server) Count(op Op) int {
	defer s.lock()()
	return s.requests.counts[op]
}

// A journal holds the latest requests. The lock of its Server guards it, and the entries too.
type journal struct {
	recent[*Request]
	counts map[Op]int // OpAny: all
}

func (j *journal) add(r *Request) {
	if j.counts == nil {
		j.counts = make(map[Op]int)
	}
	j.counts[r.Op]++
	j.counts[OpAny]++
	j.recent.add(r, MaxRequests, maxRequestBytes)
}

// recent keeps the latest items, bounded by their number and by the sum of their sizes.
type recent[T interface{ size() int }] struct {
	items []T // oldest first
	bytes int // sum of the sizes
}

// add appends an item and removes the oldest ones until the bounds hold.
func (r *recent[T]) add(item T, maxItems, maxBytes int) {
	r.items = append(r.items, item)
	r.bytes += item.size()
	for len(r.items) > maxItems || r.bytes > maxBytes {
		r.bytes -= r.items[0].size()
		r.items = slices.Delete(r.items, 0, 1)
	}
}

// recordRequest adds a request to the journal.
func (s *Server) recordRequest(op Op, r *http.Request, body []byte) *Request {
	e := &Request{
		Exchange:    Exchange{Time: s.now(), Op: op, Method: r.Method, Path: redactPath(r.URL.Path)},
		AuthScheme:  authScheme(r.Header),
		ContentType: r.Header.Get("Content-Type"),
		UserAgent:   r.Header.Get("User-Agent"),
		RemoteAddr:  r.RemoteAddr,
	}
	defer s.lock()()
	switch op {
	case OpPage:
	case OpToken:
		e.Body = bytes.ReplaceAll(body, []byte(s.ClientSecret), []byte(redacted))
	default:
		e.Body = body
	}
	s.requests.add(e)
	return e
}

// recordAnswer records what is about to be sent, and calls OnRequest.
func (s *Server) recordAnswer(e *Request, status int, f *Fault) {
	unlock := s.lock()
	if f != nil {
		e.Fault = f.label()
		if f.Mode == ModeResetAfter || f.Mode == ModeSilenceAfter {
			status = 0
		}
	}
	e.Status = status
	exchange := e.Exchange
	unlock()
	if s.OnRequest != nil {
		s.OnRequest(exchange)
	}
}

const redacted = "REDACTED"

// tokenForm matches a session token; session ids, which are not secret, have 36 characters.
var tokenForm = regexp.MustCompile(`^[A-Za-z0-9_-]{12}$`)

func redactPath(path string) string {
	segments := strings.Split(path, "/")
	for i := 1; i < len(segments); i++ {
		if segments[i-1] == "session" && tokenForm.MatchString(segments[i]) {
			segments[i] = redacted
		}
	}
	return strings.Join(segments, "/")
}

func authScheme(h http.Header) string {
	if h.Get("X-Api-Key") != "" {
		return "x-api-key"
	}
	scheme, _, found := strings.Cut(h.Get("Authorization"), " ")
	if !found && scheme != "" {
		return redacted // it may be a credential without its scheme
	}
	return scheme
}

package didittest

import (
	"bytes"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// MaxRequests is how many requests a [Server] remembers; the oldest are forgotten first.
const MaxRequests = 1_000

// maxRequestBytes bounds what the bodies of the remembered requests hold together.
const maxRequestBytes = 64 << 20

// An Exchange is a request and how it was answered, without anything secret or personal: fit for a log.
type Exchange struct {
	Time   time.Time `json:"time"` // when the request had been read
	Op     Op        `json:"op"`   // never [OpAny]
	Method string    `json:"method"`
	Path   string    `json:"path"`   // without the query; a session token in it reads REDACTED
	Status int       `json:"status"` // 0 while unanswered, and for good if a fault sends no answer
	Fault  string    `json:"fault"`  // label of the fault it met; "" if none
}

// A Request is an [Exchange] with what tests want to see of the request. It never holds a credential, but its body is
// the caller's and may hold personal data.
type Request struct {
	Exchange

	AuthScheme  string `json:"auth_scheme"`  // first word of Authorization; "x-api-key" for that header; "" for neither
	ContentType string `json:"content_type"` // as sent
	UserAgent   string `json:"user_agent"`   // as sent
	RemoteAddr  string `json:"remote_addr"`  // host:port; the same for requests on one connection
	Body        []byte `json:"body"`         // as sent, the client secret replaced by REDACTED; empty for OpPage
}

// Requests returns the requests received so far, oldest first: the last [MaxRequests] of them, or fewer where bodies
// are large. Those to the control API are not among them.
func (s *Server) Requests() []Request {
	defer s.lock()()
	list := make([]Request, 0, len(s.log.entries))
	for _, e := range s.log.entries {
		r := *e
		r.Body = slices.Clone(r.Body)
		list = append(list, r)
	}
	return list
}

// Count returns how many requests of an op were received since the beginning, forgotten ones included. [OpAny] counts
// all. A request counts once its body has been read, answered or not.
func (s *Server) Count(op Op) int {
	defer s.lock()()
	if op == OpAny {
		total := 0
		for _, n := range s.log.counts {
			total += n
		}
		return total
	}
	return s.log.counts[op]
}

// A journal holds the latest requests. The lock of its Server guards it, and the entries too.
type journal struct {
	entries []*Request
	counts  map[Op]int
	bytes   int
}

func (j *journal) add(r *Request) {
	if j.counts == nil {
		j.counts = make(map[Op]int)
	}
	j.counts[r.Op]++
	j.entries = append(j.entries, r)
	j.bytes += len(r.Body)
	for len(j.entries) > MaxRequests || j.bytes > maxRequestBytes {
		j.bytes -= len(j.entries[0].Body)
		j.entries[0] = nil
		j.entries = j.entries[1:]
	}
}

// arrived notes a request.
func (s *Server) arrived(op Op, r *http.Request, body []byte) *Request {
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
		e.Body = bytes.ReplaceAll(body, []byte(s.credentials.clientSecret), []byte(redacted))
	default:
		e.Body = body
	}
	s.log.add(e)
	return e
}

// answered notes what is about to be sent, and tells the hook.
func (s *Server) answered(e *Request, status int, f *Fault) {
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

// tokenForm is how a session token looks; session ids, which are no secret, have 36 characters.
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
		return redacted // it may be a credential that was sent without its scheme
	}
	return scheme
}

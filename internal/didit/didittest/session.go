package didittest

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// MaxSessions is how many sessions a [Server] remembers; the oldest are forgotten first.
const MaxSessions = 10_000

// maxSessionBytes bounds what the create requests of the remembered sessions hold together.
const maxSessionBytes = 64 << 20

// Errors of [Server.SetStatus].
var (
	ErrUnknownSession = errors.New("didittest: unknown session") // no session, or no longer one, has the id
	ErrUnknownStatus  = errors.New("didittest: unknown status")  // Didit has no such word
)

const (
	notStarted = "Not Started"
	inProgress = "In Progress"
)

// statuses are all that Didit's OpenAPI 3.0.0 knows. The first four are unfinished: such a session is reused.
var statuses = []string{
	notStarted, inProgress, "Resubmitted", "Awaiting User",
	"In Review", "Approved", "Declined", "Abandoned", "Expired", "Kyc Expired",
}

// unfinished reports whether the end user can still act on a session of this status.
func unfinished(status string) bool { return slices.Contains(statuses[:4], status) }

// A Session is a copy of what the simulator knows about a session. It holds neither its token nor its URL, which are
// secrets of the end user.
type Session struct {
	ID         string          `json:"session_id"`     // UUID, lower case
	Number     int             `json:"session_number"` // counts up from 1
	VendorData string          `json:"vendor_data"`    // "" if none was sent
	WorkflowID string          `json:"workflow_id"`    // UUID, lower case
	Callback   string          `json:"callback"`       // as sent last; "" if none was
	Status     string          `json:"status"`         // Didit's word, such as "In Review"
	Created    time.Time       `json:"created_at"`
	Request    json.RawMessage `json:"request"` // body of the latest create request that led to it
}

// Sessions returns the sessions, oldest first, the last [MaxSessions] of them.
func (s *Server) Sessions() []Session {
	defer s.lock()()
	list := make([]Session, 0, len(s.sessions.order))
	for _, v := range s.sessions.order {
		list = append(list, v.snapshot())
	}
	return list
}

// Session returns the session of this id, and whether there is one.
func (s *Server) Session(id string) (Session, bool) {
	defer s.lock()()
	v := s.sessions.byID[id]
	if v == nil {
		return Session{}, false
	}
	return v.snapshot(), true
}

// SetStatus moves a session to a status, whatever the one before, as a reviewer in Didit's console may. The status is
// one of Didit's words, in its spelling: Not Started, In Progress, Awaiting User, In Review, Approved, Declined,
// Resubmitted, Abandoned, Expired, Kyc Expired. A session that has it already stays as it is, and no webhook is sent.
// The error is [ErrUnknownStatus] or [ErrUnknownSession].
func (s *Server) SetStatus(sessionID, status string) error {
	if !slices.Contains(statuses, status) {
		return fmt.Errorf("%w %q; want one of %s", ErrUnknownStatus, status, strings.Join(statuses, ", "))
	}
	now := s.now()
	defer s.lock()()
	v := s.sessions.byID[sessionID]
	if v == nil {
		return fmt.Errorf("%w %q", ErrUnknownSession, sessionID)
	}
	s.change(v, status, now)
	return nil
}

// EditData does what a reviewer does who corrects the data of a session in Didit's console: it sends the webhook
// data.updated, and the status stays. The error is [ErrUnknownSession].
func (s *Server) EditData(sessionID string) error {
	now := s.now()
	defer s.lock()()
	v := s.sessions.byID[sessionID]
	if v == nil {
		return fmt.Errorf("%w %q", ErrUnknownSession, sessionID)
	}
	s.announce(v, dataUpdated, now)
	return nil
}

// change gives a session its status and, unless it has it already, sends the webhook. The caller holds the lock.
func (s *Server) change(v *session, status string, now time.Time) {
	if v.status == status {
		return
	}
	v.status = status
	s.announce(v, statusUpdated, now)
}

// session is the record behind a [Session].
type session struct {
	id, token, origin  string
	number             int
	vendorData         *string
	workflowID         string
	callback, language *string
	metadata           json.RawMessage
	status             string
	created            time.Time
	request            json.RawMessage
}

func (v *session) snapshot() Session {
	return Session{
		ID: v.id, Number: v.number, VendorData: text(v.vendorData), WorkflowID: v.workflowID,
		Callback: text(v.callback), Status: v.status, Created: v.created, Request: slices.Clone(v.request),
	}
}

// url is where the end user verifies; a language becomes its first segment.
func (v *session) url(origin string) string {
	if lang := text(v.language); lang != "" {
		origin += "/" + lang
	}
	return origin + "/session/" + v.token
}

// owner is what reuse goes by.
type owner struct{ vendorData, workflowID string }

// A registry holds sessions. The lock of its Server guards it.
type registry struct {
	order   []*session // oldest first
	byID    map[string]*session
	byToken map[string]*session
	newest  map[owner]*session
	last    int // number of the session made last
	bytes   int // of all requests
}

// reusable returns the unfinished session that Didit would hand out again, or nil. Didit needs vendor data for that.
func (g *registry) reusable(o owner) *session {
	if v := g.newest[o]; o.vendorData != "" && v != nil && unfinished(v.status) {
		return v
	}
	return nil
}

// add gives v its identity and remembers it, as made by request.
func (g *registry) add(v *session, request json.RawMessage) {
	if g.byID == nil {
		g.byID, g.byToken, g.newest = map[string]*session{}, map[string]*session{}, map[owner]*session{}
	}
	g.last++
	v.number, v.id, v.token, v.status = g.last, newUUID(), newToken(), notStarted
	g.order = append(g.order, v)
	g.byID[v.id], g.byToken[v.token] = v, v
	g.newest[owner{text(v.vendorData), v.workflowID}] = v
	g.keep(v, request)
	for len(g.order) > MaxSessions || g.bytes > maxSessionBytes {
		g.forgetOldest()
	}
}

// keep makes request the latest of v.
func (g *registry) keep(v *session, request json.RawMessage) {
	g.bytes += len(request) - len(v.request)
	v.request = request
}

func (g *registry) forgetOldest() {
	v := g.order[0]
	g.order = slices.Delete(g.order, 0, 1)
	g.bytes -= len(v.request)
	delete(g.byID, v.id)
	delete(g.byToken, v.token)
	if o := (owner{text(v.vendorData), v.workflowID}); g.newest[o] == v {
		delete(g.newest, o)
	}
}

// text is what p points to, or "".
func text(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}

// newUUID returns a random UUID (version 4), in lower case.
func newUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// newToken returns a session token: 12 characters that need no escaping in a URL.
func newToken() string {
	var b [9]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

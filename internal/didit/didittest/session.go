package didittest

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// MaxSessions is how many sessions a [Server] keeps; the oldest are forgotten first.
const MaxSessions = 10_000

// maxSessionBytes bounds the create requests of the kept sessions together, 64 MiB.
const maxSessionBytes = 64 << 20

// Errors of [Server.SetStatus] and [Server.EditData].
var (
	ErrUnknownSession = errors.New("didittest: unknown session") // no session has the id, or no longer
	ErrUnknownStatus  = errors.New("didittest: status: unknown") // not one of Didit's words
)

const (
	notStarted = "Not Started"
	inProgress = "In Progress"
)

// statuses are all that Didit's OpenAPI 3.0.0 knows. The first four are unfinished: such a session
// is reused.
var statuses = []string{
	notStarted, inProgress, "Resubmitted", "Awaiting User",
	"In Review", "Approved", "Declined", "Abandoned", "Expired", "Kyc Expired",
}

// unfinished reports whether the end user can still act on a session of this status.
func unfinished(status string) bool { return slices.Contains(statuses[:4], status) }

// A Session is a copy of what the simulator knows about a session. It holds neither its token nor
// its URL, which are secrets of the end user.
type Session struct {
	ID         string          `json:"session_id"`     // UUID, lower case
	Number     int             `json:"session_number"` // counts up from 1
	VendorData string          `json:"vendor_data"`    // "" if none was sent
	WorkflowID string          `json:"workflow_id"`    // UUID, lower case
	Callback   string          `json:"callback"`       // the latest that was sent; "" if none was
	Status     string          `json:"status"`         // Didit's word, such as "In Review"
	Created    time.Time       `json:"created_at"`
	Deleted    bool            `json:"deleted,omitempty"` // softly: Didit keeps it, and answers as if it did not
	Request    json.RawMessage `json:"request"`           // body of the latest create request that led to it
}

// Sessions returns the latest sessions, at most [MaxSessions], oldest first and deleted ones
// included.
func (s *Server) Sessions() []Session {
	defer s.lock()()
	list := make([]Session, 0, len(s.sessions.items))
	for _, v := range s.sessions.items {
		list = append(list, v.snapshot())
	}
	return list
}

// Session returns the session of this id, deleted or not, and whether there is one.
func (s *Server) Session(id string) (Session, bool) {
	defer s.lock()()
	v := s.sessions.find(func(v *session) bool { return v.id == id })
	if v == nil {
		return Session{}, false
	}
	return v.snapshot(), true
}

// SetStatus moves a session to a status, whatever the one before, as a reviewer in Didit's console
// can. The status is one of Didit's words, in its spelling: Not Started, In Progress, Awaiting
// User, In Review, Approved, Declined, Resubmitted, Abandoned, Expired, Kyc Expired. If the session
// has it already, SetStatus does nothing. The error is [ErrUnknownStatus] or [ErrUnknownSession].
func (s *Server) SetStatus(sessionID, status string) error {
	if !slices.Contains(statuses, status) {
		return fmt.Errorf("%w %q; want one of %s", ErrUnknownStatus, status, strings.Join(statuses, ", "))
	}
	return s.update(sessionID, func(v *session, now time.Time) { s.change(v, status, now) })
}

// EditData sends the webhook data.updated about a session, as Didit does when a reviewer corrects
// its data in the console. The status stays. The error is [ErrUnknownSession].
func (s *Server) EditData(sessionID string) error {
	return s.update(sessionID, func(v *session, now time.Time) { s.announce(v, dataUpdated, now) })
}

// update calls work on a session, under the lock. The error is [ErrUnknownSession].
func (s *Server) update(sessionID string, work func(*session, time.Time)) error {
	now := s.now()
	defer s.lock()()
	v := s.sessions.byID(sessionID)
	if v == nil {
		return fmt.Errorf("%w %q", ErrUnknownSession, sessionID)
	}
	work(v, now)
	return nil
}

// change sets the status of a session and sends the webhook, unless the session has that status
// already. The caller holds the lock.
func (s *Server) change(v *session, status string, now time.Time) {
	if v.status == status {
		return
	}
	v.status = status
	s.announce(v, statusUpdated, now)
}

// session is the record behind a [Session].
type session struct {
	order             // the latest that led to it, with what it left out as it was before
	id, token, origin string
	number            int
	status            string
	created           time.Time
	deleted           bool // as [Session.Deleted]
	userDeleted       bool // the user of its vendor data was, after its creation
	// begun is closed after the first attempt to deliver the latest event, by the destination's id.
	begun map[string]chan struct{}
}

func (v *session) size() int { return len(v.body) }

func (v *session) snapshot() Session {
	return Session{
		ID: v.id, Number: v.number, VendorData: text(v.vendorData), WorkflowID: v.workflowID,
		Callback: text(v.callback), Status: v.status, Created: v.created, Deleted: v.deleted, Request: slices.Clone(v.body),
	}
}

// url is where the end user verifies; a language becomes its first segment.
func (v *session) url(origin string) string {
	if lang := text(v.language); lang != "" {
		origin += "/" + lang
	}
	return origin + "/session/" + v.token
}

// A registry holds the latest sessions. The lock of its Server guards it.
type registry struct {
	recent[*session]
	last int // number of the latest session
}

// find returns the latest session that matches, or nil.
func (g *registry) find(match func(*session) bool) *session {
	for _, v := range slices.Backward(g.items) {
		if match(v) {
			return v
		}
	}
	return nil
}

func (g *registry) byID(id string) *session {
	return g.find(func(v *session) bool { return v.id == id && !v.deleted })
}

func (g *registry) byToken(token string) *session {
	return g.find(func(v *session) bool { return v.token == token && !v.deleted })
}

// reusable returns the unfinished session that Didit would return again, or nil. Didit reuses no
// session without vendor data.
func (g *registry) reusable(vendorData, workflowID string) *session {
	if vendorData == "" {
		return nil
	}
	v := g.find(func(v *session) bool {
		return !v.deleted && text(v.vendorData) == vendorData && v.workflowID == workflowID
	})
	if v == nil || !unfinished(v.status) {
		return nil
	}
	return v
}

// add gives v its identity and keeps it.
func (g *registry) add(v *session) {
	g.last++
	v.number, v.id, v.token, v.status = g.last, newUUID(), rand.Text()[:12], notStarted
	g.recent.add(v, MaxSessions, maxSessionBytes)
}

// text returns the string that p points to, or "".
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

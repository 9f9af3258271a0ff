package didittest

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// A record is what Didit keeps of a delivery. It holds personal data.
type record struct {
	Delivery
	event  *event
	url    string
	took   time.Duration
	header http.Header
	body   string
}

func (r *record) size() int { return len(r.body) }

// record returns the record of a delivery that has not begun.
func (e *event) record(attempt int) *record {
	return &record{event: e, Delivery: Delivery{
		ID: newUUID(), Destination: e.to.id, EventID: e.id, Type: e.kind, Version: e.version, SessionID: e.session.id,
		SessionStatus: e.status, Attempt: attempt, Resent: e.resent, Quirk: e.quirk,
	}}
}

// keep records what is about to be sent.
func (r *record) keep(request *http.Request) {
	body, _ := request.GetBody() // made from a buffer
	sent, _ := io.ReadAll(body)
	r.header, r.body = request.Header.Clone(), string(sent)
}

// failed reports whether Didit retries the delivery: after a timeout, a failed connection, a 5xx
// and a 404.
func (d Delivery) failed() bool {
	return d.Attempt > 0 && (d.Status == 0 || d.Status == http.StatusNotFound || d.Status >= 500)
}

// succeeded reports whether the delivery was answered with a 2xx.
func (d Delivery) succeeded() bool { return d.Status/100 == 2 }

// summary is a delivery as the list of a destination has it.
func (r *record) summary() report {
	body := report{
		"uuid": r.ID, "session_id": r.SessionID, "request_url": r.url, "response_status": nil,
		"response_time_ms": r.took.Milliseconds(), "status": "failed", "webhook_type": r.Type, "created_at": r.Time.UTC(),
	}
	if r.Status != 0 {
		body["response_status"] = r.Status
	}
	if r.succeeded() {
		body["status"] = "success"
	}
	return body
}

// whole is a delivery with what was sent. Both are JSON in strings.
func (r *record) whole() report {
	body, header := r.summary(), map[string]string{}
	for name := range r.header {
		header[name] = r.header.Get(name)
	}
	text, _ := json.Marshal(header)
	maps.Copy(body, report{"request_header": string(text), "request_body": r.body})
	return body
}

// kept returns the records that match, newest first. The caller holds the lock.
func (s *Server) kept(match func(*record) bool) (found []*record) {
	for _, r := range slices.Backward(s.deliveries.items) {
		if match(r) {
			found = append(found, r)
		}
	}
	return found
}

// maxPage is how many deliveries or sessions a page has, if the caller does not ask for fewer.
const maxPage = 50

// listDeliveries answers a page of a destination's deliveries, newest first.
func (s *Server) listDeliveries(c *call, d *destination) answer {
	all := s.kept(func(r *record) bool { return r.Destination == d.id })
	query := c.URL.Query()
	limit, offset := number(query, "limit", maxPage), min(number(query, "offset", 0), len(all))
	page := []any{}
	for _, r := range all[offset:min(len(all), offset+limit)] {
		page = append(page, r.summary())
	}
	var next any
	if offset+limit < len(all) {
		next = s.origin(c.Request) + c.URL.Path + "?" + url.Values{"limit": {strconv.Itoa(limit)}, "offset": {strconv.Itoa(offset + limit)}}.Encode()
	}
	return jsonAnswer(http.StatusOK, report{"count": len(all), "next": next, "previous": nil, "results": page})
}

// number returns a parameter from 1 to maxPage, or a larger one of a fallback of 0.
func number(query url.Values, name string, fallback int) int {
	n, err := strconv.Atoi(query.Get(name))
	if err != nil || n < 0 || fallback > 0 && (n == 0 || n > fallback) {
		return fallback
	}
	return n
}

func (s *Server) showDelivery(c *call, d *destination) answer {
	return one(s.kept(func(r *record) bool { return r.Destination == d.id && r.ID == c.PathValue("delivery") }))
}

// listSessionDeliveries answers all attempts about a session, newest first.
func (s *Server) listSessionDeliveries(c *call) answer {
	defer s.lock()()
	if s.sessions.byID(c.PathValue("id")) == nil {
		return NotFound.answer()
	}
	list := []any{}
	for _, r := range s.kept(func(r *record) bool { return r.SessionID == c.PathValue("id") }) {
		list = append(list, r.whole())
	}
	return jsonAnswer(http.StatusOK, list)
}

func (s *Server) showSessionDelivery(c *call) answer {
	defer s.lock()()
	return one(s.kept(matches(c)))
}

// resendDelivery sends a delivery again and answers the new one.
func (s *Server) resendDelivery(c *call) answer {
	r, err := s.resend(func() *event {
		if found := s.kept(matches(c)); len(found) > 0 {
			return found[0].event
		}
		return nil
	})
	switch {
	case errors.Is(err, ErrUnknownEvent):
		return NotFound.answer()
	case err != nil:
		return detail(http.StatusServiceUnavailable, "The service is shutting down.")
	}
	return jsonAnswer(http.StatusOK, r.whole())
}

// matches returns whether a record is that of a path with a session and a delivery.
func matches(c *call) func(*record) bool {
	return func(r *record) bool { return r.SessionID == c.PathValue("id") && r.ID == c.PathValue("delivery") }
}

func one(found []*record) answer {
	if len(found) == 0 {
		return NotFound.answer()
	}
	return jsonAnswer(http.StatusOK, found[0].whole())
}

// metrics are those of a destination's deliveries.
type metrics struct {
	count, failed int
	took          time.Duration
	last          *time.Time
}

// metrics counts the deliveries to a destination that began at a time or later. The caller holds
// the lock.
func (s *Server) metrics(destination string, from time.Time) (m metrics) {
	for _, r := range s.kept(func(r *record) bool { return r.Destination == destination && !r.Time.Before(from) }) {
		if m.last == nil {
			m.last = new(r.Time.UTC())
		}
		m.count++
		m.took += r.took
		if !r.succeeded() {
			m.failed++
		}
	}
	return m
}

// average is in milliseconds, nil without deliveries.
func (m metrics) average() any {
	if m.count == 0 {
		return nil
	}
	return (m.took / time.Duration(m.count)).Milliseconds()
}

func (m metrics) errorRate() int { return 100 * m.failed / max(1, m.count) }

package didittest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"
)

// announce sends the webhook about an event of a session, to each destination of such events, in
// the background. The deliveries of one session to a destination begin one after the other. The
// caller holds the lock.
func (s *Server) announce(v *session, kind string, now time.Time) {
	targets := s.targets(kind)
	if len(targets) == 0 || s.closed() {
		return
	}
	id, quirk := newUUID(), s.takeQuirk()
	for _, to := range targets {
		e := v.event(id, kind, to, s.environment(), now)
		e.quirk = quirk
		s.events.add(e, MaxDeliveries, maxEventBytes)
		switch quirk {
		case SendLate:
			s.held = append(s.held, e)
			continue
		case SendStale:
			e.timestamp -= 3600
		}
		s.start(e)
	}
	if quirk != SendLate {
		s.release()
	}
}

// release sends the events that were held back. The caller holds the lock.
func (s *Server) release() {
	held := s.held
	s.held = nil
	for _, e := range held {
		s.start(e)
	}
}

// start delivers in the background, unless the Server is closed. The caller holds the lock.
func (s *Server) start(e *event) {
	if s.closed() {
		return
	}
	if e.session.begun == nil {
		e.session.begun = map[string]chan struct{}{}
	}
	before, begun := e.session.begun[e.to.id], make(chan struct{})
	e.session.begun[e.to.id] = begun
	s.pending++
	go func() {
		defer s.endPending()
		if before != nil {
			<-before
		}
		r := s.deliver(e)
		close(begun)
		s.retry(e, r)
	}()
}

// endPending counts a delivery, with its retries, as ended.
func (s *Server) endPending() {
	defer s.lock()()
	s.pending--
	s.settled.Broadcast()
}

// Settle waits until every event has been delivered or its last retry has failed. It returns the
// context's error if that ends first. It does not wait for events that [SendLate] holds back.
func (s *Server) Settle(ctx context.Context) error {
	defer s.lock()()
	defer context.AfterFunc(ctx, func() {
		defer s.lock()()
		s.settled.Broadcast()
	})()
	for s.pending > 0 && ctx.Err() == nil {
		s.settled.Wait()
	}
	return ctx.Err()
}

// Resend delivers an event once more to its first destination, as Didit's console and API do: with
// the same id, a new timestamp and new signatures, without its quirk and without retries. It waits
// for the answer, at most [Server.DeliveryTimeout]. The error is [ErrUnknownEvent], or says that
// the Server is closed.
func (s *Server) Resend(eventID string) (Delivery, error) {
	r, err := s.resend(func() *event {
		i := slices.IndexFunc(s.events.items, func(e *event) bool { return e.id == eventID })
		if i < 0 {
			return nil
		}
		return s.events.items[i]
	})
	if errors.Is(err, ErrUnknownEvent) {
		err = fmt.Errorf("%w %q", err, eventID)
	}
	return r.Delivery, err
}

// resend delivers the event that find returns, under the lock, once more.
func (s *Server) resend(find func() *event) (record, error) {
	now, unlock := s.now(), s.lock()
	found := find()
	switch {
	case found == nil:
		unlock()
		return record{}, ErrUnknownEvent
	case s.closed():
		unlock()
		return record{}, errors.New("didittest: simulator is closed")
	}
	s.pending++
	e := *found
	unlock()
	e.timestamp, e.quirk, e.resent = now.Unix(), "", true
	defer s.endPending()
	return *s.attempt(&e, 1), nil
}

// deliver makes the first attempt, and a second one where the quirk asks for it.
func (s *Server) deliver(e *event) *record {
	switch e.quirk {
	case SendNever:
		r := e.record(0)
		r.Time, r.Problem = s.now(), "never sent"
		if unsent, err := s.prepare(s.ctx, e, r); err == nil {
			r.keep(unsent)
		}
		return s.recordDelivery(r)
	case SendTwice:
		s.attempt(e, 1)
	}
	return s.attempt(e, 1)
}

// retry makes the further attempts that a failed one is worth. Whether Didit dates a retry anew is
// not known; here it keeps its timestamp.
func (s *Server) retry(e *event, r *record) {
	for i, wait := range s.RetryWaits {
		if !r.failed() {
			return
		}
		select {
		case <-time.After(wait):
		case <-s.ctx.Done():
			return
		}
		r = s.attempt(e, i+2)
	}
}

// attempt sends the event and records the outcome.
func (s *Server) attempt(e *event, number int) *record {
	d := e.record(number)
	d.Time = s.now()
	ctx, cancel := context.WithTimeout(s.ctx, s.DeliveryTimeout)
	defer cancel()
	r, err := s.prepare(ctx, e, d)
	if err == nil {
		d.keep(r)
		d.Status, err = s.send(r)
	}
	switch {
	case err == nil:
	case errors.Is(err, context.DeadlineExceeded):
		d.Problem = "timeout"
	default:
		d.Problem = "connection failed"
	}
	d.took = max(0, s.now().Sub(d.Time))
	return s.recordDelivery(d)
}

// prepare returns what is to be sent by a delivery to the destination's address of this moment.
func (s *Server) prepare(ctx context.Context, e *event, r *record) (*http.Request, error) {
	unlock := s.lock()
	r.url = e.to.url
	secrets := e.to.secrets(r.Time)
	unlock()
	return e.request(ctx, r.url, secrets)
}

// send returns the status of an answer that was read to its end. It follows no redirect.
func (s *Server) send(r *http.Request) (status int, err error) {
	response, err := s.WebhookTransport.RoundTrip(r)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	if _, err := io.Copy(io.Discard, io.LimitReader(response.Body, maxControlBody)); err != nil {
		return 0, err
	}
	return response.StatusCode, nil
}

// recordDelivery records a delivery that has ended, and calls OnDelivery.
func (s *Server) recordDelivery(r *record) *record {
	unlock := s.lock()
	s.deliveries.add(r, MaxDeliveries, maxEventBytes)
	unlock()
	if s.OnDelivery != nil {
		s.OnDelivery(r.Delivery)
	}
	return r
}

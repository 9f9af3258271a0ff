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

// announce sends the webhook about an event of a session, if there is a destination, in the
// background. The deliveries of one session begin one after the other. The caller holds the lock.
func (s *Server) announce(v *session, kind string, now time.Time) {
	if s.WebhookURL == "" || s.closed() {
		return
	}
	e := v.event(kind, s.WebhookVersion, now)
	e.quirk = s.takeQuirk()
	s.events.add(e, MaxDeliveries, maxEventBytes)
	switch e.quirk {
	case SendLate:
		s.held = append(s.held, e)
		return
	case SendStale:
		e.timestamp -= 3600
	}
	s.start(e)
	s.release()
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
	before, begun := e.session.begun, make(chan struct{})
	e.session.begun = begun
	s.pending++
	go func() {
		defer s.endPending()
		if before != nil {
			<-before
		}
		d := s.deliver(e)
		close(begun)
		s.retry(e, d)
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

// Resend delivers an event once more, as Didit's console and API do: with the same id, a new
// timestamp and new signatures, without its quirk and without retries. It waits for the answer, at
// most [Server.DeliveryTimeout]. The error is [ErrUnknownEvent], or says that the Server is closed.
func (s *Server) Resend(eventID string) (Delivery, error) {
	e, err := s.resend(eventID, s.now())
	if err != nil {
		return Delivery{}, err
	}
	defer s.endPending()
	return s.attempt(e, 1), nil
}

// resend returns an event to be sent again, and counts it as pending.
func (s *Server) resend(eventID string, now time.Time) (*event, error) {
	defer s.lock()()
	i := slices.IndexFunc(s.events.items, func(e *event) bool { return e.id == eventID })
	switch {
	case i < 0:
		return nil, fmt.Errorf("%w %q", ErrUnknownEvent, eventID)
	case s.closed():
		return nil, errors.New("didittest: simulator is closed")
	}
	s.pending++
	e := *s.events.items[i]
	e.timestamp, e.quirk, e.resent = now.Unix(), "", true
	return &e, nil
}

// deliver makes the first attempt, and a second one where the quirk asks for it.
func (s *Server) deliver(e *event) Delivery {
	switch e.quirk {
	case SendNever:
		d := e.delivery(0)
		d.Problem = "never sent"
		return s.recordDelivery(d)
	case SendTwice:
		s.attempt(e, 1)
	}
	return s.attempt(e, 1)
}

// retry makes the further attempts that a failed one is worth. Whether Didit dates a retry anew is
// not known; here it keeps its timestamp.
func (s *Server) retry(e *event, d Delivery) {
	for i, wait := range s.RetryWaits {
		if !d.failed() {
			return
		}
		select {
		case <-time.After(wait):
		case <-s.ctx.Done():
			return
		}
		d = s.attempt(e, i+2)
	}
}

// failed reports whether Didit retries the delivery: after a timeout, a failed connection, a 5xx
// and a 404.
func (d Delivery) failed() bool {
	return d.Attempt > 0 && (d.Status == 0 || d.Status == http.StatusNotFound || d.Status >= 500)
}

// delivery returns a delivery of the event that has not begun.
func (e *event) delivery(attempt int) Delivery {
	return Delivery{
		EventID: e.id, Type: e.kind, Version: e.version, SessionID: e.session.id, SessionStatus: e.status,
		Attempt: attempt, Resent: e.resent, Quirk: e.quirk,
	}
}

// attempt sends the event and records the outcome.
func (s *Server) attempt(e *event, number int) Delivery {
	d := e.delivery(number)
	d.Time = s.now()
	unlock := s.lock()
	destination, secrets := s.WebhookURL, s.secrets(d.Time)
	unlock()
	ctx, cancel := context.WithTimeout(s.ctx, s.DeliveryTimeout)
	defer cancel()
	r, err := e.request(ctx, destination, secrets)
	if err == nil {
		d.Status, err = s.send(r)
	}
	switch {
	case err == nil:
	case errors.Is(err, context.DeadlineExceeded):
		d.Problem = "timeout"
	default:
		d.Problem = "connection failed"
	}
	return s.recordDelivery(d)
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
func (s *Server) recordDelivery(d Delivery) Delivery {
	unlock := s.lock()
	s.deliveries.add(d, MaxDeliveries, 0)
	unlock()
	if s.OnDelivery != nil {
		s.OnDelivery(d)
	}
	return d
}

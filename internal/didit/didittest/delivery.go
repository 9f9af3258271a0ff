package didittest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"
)

// deliveryTimeout is how long Didit waits for an answer ("Didit: Webhooks").
const deliveryTimeout = 5 * time.Second

// retryWaits are Didit's, approximately ("Didit: Webhooks").
var retryWaits = []time.Duration{time.Minute, 4 * time.Minute}

// announce sends the webhook about an event of a session, if there is a destination, in the
// background. The deliveries of one session begin one after the other. The caller holds the lock.
func (s *Server) announce(v *session, kind string, now time.Time) {
	h := &s.hooks
	if h.url == "" || s.closed {
		return
	}
	e := v.event(kind, h.version, now)
	e.quirk = h.takeQuirk()
	h.keepEvent(e)
	if e.quirk == SendLate {
		h.held = append(h.held, e)
		return
	}
	s.start(e)
	s.release()
}

// release sends the events that were held back. The caller holds the lock.
func (s *Server) release() {
	held := s.hooks.held
	s.hooks.held = nil
	if s.closed {
		return
	}
	for _, e := range held {
		s.start(e)
	}
}

// start delivers in the background. The caller holds the lock.
func (s *Server) start(e *event) {
	h := &s.hooks
	before, begun := h.tails[e.sessionID], make(chan struct{})
	h.tails[e.sessionID] = begun
	h.pending++
	go func() {
		defer s.endPending()
		if before != nil {
			<-before
		}
		d := s.deliver(e)
		unlock := s.lock()
		if h.tails[e.sessionID] == begun {
			delete(h.tails, e.sessionID)
		}
		unlock()
		close(begun)
		s.retry(e, d)
	}()
}

// endPending counts a delivery, with its retries, as ended.
func (s *Server) endPending() {
	defer s.lock()()
	s.hooks.pending--
	s.hooks.settled.Broadcast()
}

// Settle waits until every event has been delivered or its last retry has failed. It returns the
// context's error if that ends first. It does not wait for events that [SendLate] holds back.
func (s *Server) Settle(ctx context.Context) error {
	defer s.lock()()
	defer context.AfterFunc(ctx, func() {
		defer s.lock()()
		s.hooks.settled.Broadcast()
	})()
	for s.hooks.pending > 0 && ctx.Err() == nil {
		s.hooks.settled.Wait()
	}
	return ctx.Err()
}

// Resend delivers an event once more, as Didit's console and API do: with the same id, a new
// timestamp and new signatures, without its quirk and without retries. It waits for the answer, at
// most [Server.DeliveryTimeout]. The error is [ErrUnknownEvent], or says that the Server is closed.
func (s *Server) Resend(eventID string) (Delivery, error) {
	now := s.now()
	unlock := s.lock()
	i := slices.IndexFunc(s.hooks.events.items, func(e *event) bool { return e.id == eventID })
	switch {
	case i < 0:
		unlock()
		return Delivery{}, fmt.Errorf("%w %q", ErrUnknownEvent, eventID)
	case s.closed:
		unlock()
		return Delivery{}, errors.New("didittest: simulator is closed")
	}
	e := *s.hooks.events.items[i]
	s.hooks.pending++
	unlock()
	defer s.endPending()
	e.quirk = ""
	d := e.delivery(1)
	d.Resent = true
	return s.attempt(&e, d, now.Unix()), nil
}

// deliver makes the first attempt, and a second one where the quirk asks for it.
func (s *Server) deliver(e *event) Delivery {
	switch e.quirk {
	case SendNever:
		d := e.delivery(0)
		d.Problem = "never sent"
		return s.recordDelivery(d)
	case SendTwice:
		s.attempt(e, e.delivery(1), e.timestamp())
	}
	return s.attempt(e, e.delivery(1), e.timestamp())
}

// retry makes the further attempts that a failed one is worth.
func (s *Server) retry(e *event, d Delivery) {
	waits := s.RetryWaits
	if waits == nil {
		waits = retryWaits
	}
	for i, wait := range waits {
		if !d.failed() {
			return
		}
		select {
		case <-time.After(wait):
		case <-s.ctx.Done():
			return
		}
		d = s.attempt(e, e.delivery(i+2), e.timestamp())
	}
}

// failed reports whether Didit retries the delivery: after a timeout, a failed connection, a 5xx
// and a 404.
func (d Delivery) failed() bool {
	return d.Attempt > 0 && (d.Status == 0 || d.Status == http.StatusNotFound || d.Status >= 500)
}

// attempt sends the event and records the outcome.
func (s *Server) attempt(e *event, d Delivery, timestamp int64) Delivery {
	d.Time = s.now()
	unlock := s.lock()
	destination, secret, client := s.hooks.url, s.hooks.secret, s.hooks.client
	unlock()
	ctx, cancel := context.WithTimeout(s.ctx, cmp.Or(s.DeliveryTimeout, deliveryTimeout))
	defer cancel()
	r, err := e.request(ctx, destination, secret, timestamp)
	if err == nil {
		d.Status, err = send(client, r)
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

// send returns the status of an answer that was read to its end.
func send(client *http.Client, r *http.Request) (status int, err error) {
	response, err := client.Do(r)
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
	s.hooks.log.add(d, func(Delivery) int { return 0 }, MaxDeliveries, 0)
	unlock()
	if s.OnDelivery != nil {
		s.OnDelivery(d)
	}
	return d
}

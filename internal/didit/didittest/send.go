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

// deliveryTimeout is how long Didit waits for an answer ("Didit: Webhooks").
const deliveryTimeout = 5 * time.Second

// retryWaits are Didit's, about ("Didit: Webhooks").
var retryWaits = []time.Duration{time.Minute, 4 * time.Minute}

// staleBy is how far back [SendStale] dates an event, in seconds.
const staleBy = 3600

// announce sends the webhook about a session's event, if there is a destination. The caller holds the lock. Nobody
// waits for the delivery; those of one session begin one after the other.
func (s *Server) announce(v *session, kind string, now time.Time) {
	h := &s.hooks
	if h.url == "" || s.closed {
		return
	}
	e := v.event(kind, h.version, now)
	e.quirk = h.takeQuirk()
	h.remember(e)
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
		defer s.settle()
		if before != nil {
			<-before
		}
		d := s.first(e)
		unlock := s.lock()
		if h.tails[e.sessionID] == begun {
			delete(h.tails, e.sessionID)
		}
		unlock()
		close(begun)
		s.repeat(e, d)
	}()
}

// settle notes that a delivery has come to its end.
func (s *Server) settle() {
	defer s.lock()()
	s.hooks.pending--
	s.hooks.settled.Broadcast()
}

// Settle waits until every event has been delivered, or given up after its last repetition. It returns the context's
// error if that ends first. Events that wait to be late are not waited for.
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

// Resend delivers an event once more, as Didit's console and API do: with the same id, a fresh
// timestamp and fresh signatures, once and without its quirk. It waits for the answer,
// [Server.DeliveryTimeout] at the most. The error is [ErrUnknownEvent], or says that the Server is
// closed.
func (s *Server) Resend(eventID string) (Delivery, error) {
	now := s.now()
	unlock := s.lock()
	i := slices.IndexFunc(s.hooks.events, func(e *event) bool { return e.id == eventID })
	switch {
	case i < 0:
		unlock()
		return Delivery{}, fmt.Errorf("%w %q", ErrUnknownEvent, eventID)
	case s.closed:
		unlock()
		return Delivery{}, errors.New("didittest: simulator is closed")
	}
	e := *s.hooks.events[i]
	s.hooks.pending++
	unlock()
	defer s.settle()
	e.quirk = ""
	d := e.delivery(1)
	d.Resent = true
	return s.attempt(&e, d, now.Unix()), nil
}

// first makes the first attempt, and the second where the quirk asks for two.
func (s *Server) first(e *event) Delivery {
	timestamp := e.created
	switch e.quirk {
	case SendNever:
		d := e.delivery(0)
		d.Problem = "never sent"
		return s.ended(d)
	case SendStale:
		timestamp -= staleBy
	case SendTwice:
		s.attempt(e, e.delivery(1), timestamp)
	}
	return s.attempt(e, e.delivery(1), timestamp)
}

// repeat makes the further attempts that a failed one is worth. The body stays as it was: whether Didit dates it anew is
// not known.
func (s *Server) repeat(e *event, d Delivery) {
	waits := s.RetryWaits
	if waits == nil {
		waits = retryWaits
	}
	for i, wait := range waits {
		if !d.failed() {
			return
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-s.done:
			timer.Stop()
			return
		}
		timestamp := e.created
		if e.quirk == SendStale {
			timestamp -= staleBy
		}
		d = s.attempt(e, e.delivery(i+2), timestamp)
	}
}

// failed reports whether Didit repeats the delivery: after a timeout, a failed connection, a 5xx and a 404.
func (d Delivery) failed() bool {
	return d.Attempt > 0 && (d.Status == 0 || d.Status == http.StatusNotFound || d.Status >= 500)
}

func (e *event) delivery(attempt int) Delivery {
	return Delivery{
		EventID: e.id, Type: e.kind, Version: e.version, SessionID: e.sessionID, SessionStatus: e.status,
		Attempt: attempt, Quirk: e.quirk,
	}
}

// attempt sends the event and notes what came of it.
func (s *Server) attempt(e *event, d Delivery, timestamp int64) Delivery {
	d.Time = s.now()
	unlock := s.lock()
	destination, secret, client := s.hooks.url, s.hooks.secret, s.hooks.client
	unlock()
	timeout := s.DeliveryTimeout
	if timeout == 0 {
		timeout = deliveryTimeout
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	go func() { // ends with the attempt
		select {
		case <-s.done:
			cancel()
		case <-ctx.Done():
		}
	}()
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
	return s.ended(d)
}

// send returns the status of an answer that was read to its end.
func send(client *http.Client, r *http.Request) (status int, err error) {
	response, err := client.Do(r)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(response.Body, maxControlBody)); err != nil {
		return 0, err
	}
	return response.StatusCode, nil
}

// ended notes a delivery, and tells the hook.
func (s *Server) ended(d Delivery) Delivery {
	unlock := s.lock()
	if len(s.hooks.log) == MaxDeliveries {
		s.hooks.log = slices.Delete(s.hooks.log, 0, 1)
	}
	s.hooks.log = append(s.hooks.log, d)
	unlock()
	if s.OnDelivery != nil {
		s.OnDelivery(d)
	}
	return d
}

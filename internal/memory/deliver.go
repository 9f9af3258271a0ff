package memory

import (
	"context"
	"slices"
	"time"

	"didit-sessions/internal/verification"
)

// transmit returns the event as a subscriber gets it: a new copy, without what its JSON does not
// contain.
func transmit(e verification.Event) (verification.Event, error) {
	text, err := verification.EncodeDetail(e)
	if err != nil {
		return verification.Event{}, err
	}
	return verification.DecodeDetail(e.DetailType(), text)
}

// enqueue queues the event behind earlier ones. The caller holds mu.
func (b *Bus) enqueue(s *subscriber, d delivery) {
	s.queue = append(s.queue, d)
	if s.busy {
		return
	}
	if b.ctx == nil {
		b.ctx, b.cancel = context.WithCancel(context.Background())
	}
	s.busy = true
	go b.serve(s)
}

// serve delivers until the queue is empty.
func (b *Bus) serve(s *subscriber) {
	for {
		b.mu.Lock()
		if len(s.queue) == 0 {
			s.busy = false
			b.mu.Unlock()
			return
		}
		d := s.queue[0]
		s.queue = slices.Delete(s.queue, 0, 1)
		b.mu.Unlock()
		// A new copy for each delivery, because a subscriber may modify it.
		e, err := transmit(d.event)
		if err == nil {
			err = s.deliver(b.ctx, e)
		}
		b.settle(s, d, err)
	}
}

// settle ends a delivery after an attempt, or schedules the next attempt.
func (b *Bus) settle(s *subscriber, d delivery, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	d.attempts++
	if err == nil || b.closed || d.attempts == maxDeliveries {
		b.finish(1)
		return
	}
	time.AfterFunc(retryPause<<(d.attempts-1), func() { b.retry(s, d) })
}

// retry queues a delivery again after its pause.
func (b *Bus) retry(s *subscriber, d delivery) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		b.finish(1)
		return
	}
	b.enqueue(s, d)
}

// finish counts n deliveries as ended. The caller holds mu.
func (b *Bus) finish(n int) {
	b.pending -= n
	if b.pending == 0 && b.idle != nil {
		close(b.idle)
		b.idle = nil
	}
}

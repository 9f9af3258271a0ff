package memory

import (
	"context"
	"slices"
	"time"

	"didit-sessions/internal/verification"
)

// received is the event as it arrives at a subscriber: what its JSON does not say is lost, and nothing
// of it is shared.
func received(e verification.Event) (verification.Event, error) {
	text, err := verification.EncodeDetail(e)
	if err != nil {
		return verification.Event{}, err
	}
	return verification.DecodeDetail(e.DetailType(), text)
}

// enqueue has the event delivered after those that the subscriber is still to get. The caller holds
// mu.
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

// serve delivers until there is nothing to deliver.
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
		// One for each delivery: a subscriber may change what it gets.
		e, err := received(d.event)
		if err == nil {
			err = s.deliver(b.ctx, e)
		}
		b.ended(s, d, err)
	}
}

// ended notes what became of one delivery.
func (b *Bus) ended(s *subscriber, d delivery, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	d.tried++
	switch {
	case err == nil || b.closed:
		b.over(1)
	case d.tried == mostDeliveries:
		b.left = append(b.left, d.event)
		if extra := len(b.left) - mostKept; extra > 0 {
			b.left = slices.Delete(b.left, 0, extra)
		}
		b.over(1)
	default:
		time.AfterFunc(retryPause<<(d.tried-1), func() { b.again(s, d) })
	}
}

// again takes a delivery up after its pause.
func (b *Bus) again(s *subscriber, d delivery) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		b.over(1)
		return
	}
	b.enqueue(s, d)
}

// over counts deliveries that need nothing more. The caller holds mu.
func (b *Bus) over(n int) {
	b.open -= n
	if b.open == 0 && b.idle != nil {
		close(b.idle)
		b.idle = nil
	}
}

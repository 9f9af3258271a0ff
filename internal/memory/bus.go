package memory

import (
	"context"
	"slices"
	"sync"
	"time"

	"didit-sessions/internal/verification"
)

const (
	// maxKept is how many events a bus keeps, which bounds its memory.
	maxKept = 1000
	// maxDeliveries is how many attempts a delivery gets, as many as Lambda makes for an event on
	// which a function fails.
	maxDeliveries = 3
	// retryPause is the time before the second attempt; before the third it is twice as long.
	// Lambda waits for minutes.
	retryPause = time.Second
)

// Bus is an event bus in memory. As on EventBridge, publishing does not wait for subscribers, and
// an event arrives as its JSON describes it. Each subscriber gets the events one after another, in
// the order of publishing. An event on which it fails is delivered again after 1 s, a last time
// after 2 s more, and is then dropped; later events do not wait for that.
//
// The zero value is ready to use. It is safe for concurrent use and must not be copied.
type Bus struct {
	mu          sync.Mutex
	published   []verification.Event
	subscribers []*subscriber
	pending     int           // deliveries that have not ended
	idle        chan struct{} // closed when pending is 0; nil if no Wait waits
	closed      bool
	ctx         context.Context // of deliveries; ends with Close
	cancel      context.CancelFunc
}

// subscriber is a function that gets events, with its queue.
type subscriber struct {
	deliver func(context.Context, verification.Event) error
	queue   []delivery
	busy    bool
}

// delivery is an event on its way to one subscriber.
type delivery struct {
	event    verification.Event
	attempts int
}

var _ verification.Bus = (*Bus)(nil)

// Subscribe registers deliver for the events that are published from now on. Calls of deliver do
// not overlap; it may publish and subscribe. Its context ends with [Bus.Close].
func (b *Bus) Subscribe(deliver func(context.Context, verification.Event) error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.subscribers = append(b.subscribers, &subscriber{deliver: deliver})
}

// Publish queues the event for every subscriber. It returns a [*verification.Error]:
// backend_unavailable if the context has ended or the bus is closed, internal if the event has no
// JSON form.
func (b *Bus) Publish(ctx context.Context, e verification.Event) error {
	decoded, err := transmit(e)
	if err != nil {
		return verification.NewError(verification.CodeInternal, "the event bus does not accept the form of the event")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || ctx.Err() != nil {
		return verification.NewError(verification.CodeBackendUnavailable, "the event bus is out of reach")
	}
	b.published = append(b.published, decoded)
	if extra := len(b.published) - maxKept; extra > 0 {
		b.published = slices.Delete(b.published, 0, extra)
	}
	for _, s := range b.subscribers {
		b.pending++
		b.enqueue(s, delivery{event: decoded})
	}
	return nil
}

// Published returns the latest 1,000 events, in the order of publishing. The caller must not modify
// them.
func (b *Bus) Published() []verification.Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.published)
}

// Wait waits until every delivery has ended, retries included. It returns the context's error if
// that ends first.
func (b *Bus) Wait(ctx context.Context) error {
	b.mu.Lock()
	if b.pending == 0 {
		b.mu.Unlock()
		return nil
	}
	if b.idle == nil {
		b.idle = make(chan struct{})
	}
	idle := b.idle
	b.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close ends the contexts of deliveries and drops those that have not begun. It does not wait for
// running ones; [Bus.Wait] does.
func (b *Bus) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	if b.cancel != nil {
		b.cancel()
	}
	for _, s := range b.subscribers {
		b.finish(len(s.queue))
		s.queue = nil
	}
}

package memory

import (
	"context"
	"slices"
	"sync"
	"time"

	"didit-sessions/internal/verification"
)

const (
	// mostKept is how many events a bus remembers, so that a system that runs for long stays small.
	mostKept = 1000
	// mostDeliveries is how often a delivery is tried, as often as Lambda calls a function that
	// fails on an event.
	mostDeliveries = 3
	// retryPause is the time before the second delivery; before the third it is twice that. Lambda
	// waits for minutes.
	retryPause = time.Second
)

// Bus is an event bus in memory. As on EventBridge, publishing does not wait for who listens, and
// an event arrives as its JSON says. Each subscriber gets the events one after another, in the order
// of publishing; one that it fails on comes again after 1 s, and once more after 2 s, while others go
// on, and is then left.
//
// The zero value is ready to use. It is safe for concurrent use and must not be copied.
type Bus struct {
	mu          sync.Mutex
	published   []verification.Event
	left        []verification.Event
	subscribers []*subscriber
	open        int           // deliveries that are not over
	idle        chan struct{} // closed when open is 0; nil: nobody waits
	closed      bool
	ctx         context.Context // of deliveries; ends with Close
	cancel      context.CancelFunc
}

// subscriber is who listens, with what is to be delivered next.
type subscriber struct {
	deliver func(context.Context, verification.Event) error
	queue   []delivery
	busy    bool
}

// delivery is an event on its way to one subscriber.
type delivery struct {
	event verification.Event
	tried int
}

var _ verification.Bus = (*Bus)(nil)

// Subscribe has the events that are published from now on delivered, one at a time. A subscriber may
// publish, and may subscribe others. The context of a delivery ends with [Bus.Close].
func (b *Bus) Subscribe(deliver func(context.Context, verification.Event) error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.subscribers = append(b.subscribers, &subscriber{deliver: deliver})
}

// Publish takes the event for delivery. It returns a [*verification.Error] with code
// backend_unavailable when the context is over or the bus is closed, and with internal for an event
// that nobody could read.
func (b *Bus) Publish(ctx context.Context, e verification.Event) error {
	arriving, err := received(e)
	if err != nil {
		return verification.NewError(verification.CodeInternal, "the event bus does not accept the form of the event")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || ctx.Err() != nil {
		return verification.NewError(verification.CodeBackendUnavailable, "the event bus is out of reach")
	}
	b.published = append(b.published, arriving)
	if extra := len(b.published) - mostKept; extra > 0 {
		b.published = slices.Delete(b.published, 0, extra)
	}
	for _, s := range b.subscribers {
		b.open++
		b.enqueue(s, delivery{event: arriving})
	}
	return nil
}

// Published returns the latest 1,000 events, in the order of publishing. They are not to be changed.
func (b *Bus) Published() []verification.Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.published)
}

// Left returns the latest 1,000 events on which a subscriber failed to the last. They are not to be
// changed.
func (b *Bus) Left() []verification.Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.left)
}

// Wait returns nil once nothing is left to deliver, pauses before further deliveries included, and
// the context's error when that ends first.
func (b *Bus) Wait(ctx context.Context) error {
	b.mu.Lock()
	if b.open == 0 {
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

// Close ends the contexts of deliveries and gives up those that did not begin. It does not wait for
// those under way; [Bus.Wait] does.
func (b *Bus) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	if b.cancel != nil {
		b.cancel()
	}
	for _, s := range b.subscribers {
		b.over(len(s.queue))
		s.queue = nil
	}
}

package didit

import (
	"context"
	"sync"
)

// flight lets concurrent callers share one call. The zero value is ready; it must not be
// copied.
type flight[T any] struct {
	mu   sync.Mutex
	call *sharedCall[T]
}

type sharedCall[T any] struct {
	done  chan struct{}
	value T
	err   error
	late  bool // it failed when its starter's time was over, whatever it says
}

// do returns what fn returns, calling it at most once at a time: a caller that arrives while
// fn runs waits for that run and shares its outcome, error included. fn keeps the values and
// the deadline of the context of the caller that started it, but not its cancellation, so that one
// caller who leaves fails nobody else. A caller with time left runs fn anew when the run it
// shared ended because its starter's time was over.
func (f *flight[T]) do(ctx context.Context, fn func(context.Context) (T, error)) (T, error) {
	for {
		call, leads := f.join()
		if leads {
			go f.run(ctx, call, fn)
		}
		select {
		case <-ctx.Done():
			var zero T
			return zero, ctx.Err()
		case <-call.done:
		}
		if leads || !call.late && !ranOut(call.err) || ctx.Err() != nil {
			return call.value, call.err
		}
	}
}

func (f *flight[T]) join() (call *sharedCall[T], leads bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.call != nil {
		return f.call, false
	}
	f.call = &sharedCall[T]{done: make(chan struct{})}
	return f.call, true
}

func (f *flight[T]) run(ctx context.Context, call *sharedCall[T], fn func(context.Context) (T, error)) {
	shared := context.WithoutCancel(ctx)
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		shared, cancel = context.WithDeadline(shared, deadline)
		defer cancel()
	}
	call.value, call.err = fn(shared)
	call.late = call.err != nil && shared.Err() != nil
	f.mu.Lock()
	f.call = nil
	f.mu.Unlock()
	close(call.done)
}

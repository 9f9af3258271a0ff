package didit

import (
	"context"
	"sync"
)

// flight lets concurrent callers share one call. The zero value is ready; it must not be copied.
type flight[T any] struct {
	mu   sync.Mutex
	call *sharedCall[T]
}

type sharedCall[T any] struct {
	done  chan struct{}
	value T
	err   error
	late  bool // it failed after its starter's deadline, whatever the error says
}

// do returns the result of fn, which runs at most once at a time: a caller that arrives while fn
// runs waits for that run and shares its result, error included. fn gets the values and the
// deadline of its starter's context, but not its cancellation, so that a caller that gives up does
// not fail the others. A caller with time left runs fn again if the run that it shared ended with
// its starter's deadline.
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
		if leads || !call.late && !isTimeout(call.err) || ctx.Err() != nil {
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

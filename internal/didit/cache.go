package didit

import (
	"context"
	"sync"
	"time"
)

// cache keeps a secret that is read from elsewhere, and reads it again when Didit and the secret no
// longer fit. Concurrent callers share one read. A read that fails leaves what was kept before. The
// zero value is empty and ready; it must not be copied.
type cache[T comparable] struct {
	mu        sync.Mutex
	value     T         // the zero value: none
	readAt    time.Time // start of the last read that succeeded
	refreshed time.Time // start of the last read because of age
	forced    time.Time // start of the last forced read that counts
	forcedErr error     // its result
	reading   flight[T]
}

// source is where a cache's secret comes from, and how often it may be read.
type source[T comparable] struct {
	read func(context.Context) (T, error)
	now  func() time.Time // nil means [time.Now]
	// interval is how long after a forced read, and after one because of age, the next is allowed.
	interval time.Duration
	// failuresCount makes a forced read count that failed. Then callers get its error meanwhile.
	failuresCount bool
	// maxAge is how old a value becomes before it is read again; 0 means as old as it may be. A
	// failure of that read, or one that takes longer than refreshTimeout, changes nothing.
	maxAge, refreshTimeout time.Duration
}

// get returns the secret, from memory where possible. An error means that there is none.
func (c *cache[T]) get(ctx context.Context, s source[T]) (T, error) {
	var none T
	kept, due := c.lookup(s)
	if !due {
		return kept, nil
	}
	if kept != none {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.refreshTimeout)
		defer cancel()
	}
	value, err := c.reading.do(ctx, func(ctx context.Context) (T, error) {
		if value, due := c.lookup(s); kept == none && !due {
			return value, nil // read since the lookup
		}
		return c.read(ctx, s)
	})
	if err != nil && kept != none {
		return kept, nil
	}
	return value, err
}

// lookup returns the value, and whether this caller has to read it.
func (c *cache[T]) lookup(s source[T]) (value T, due bool) {
	now := wallNow(s.now)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.value == value {
		return value, true
	}
	due = s.maxAge > 0 && now.Sub(c.readAt) >= s.maxAge && (c.refreshed.IsZero() || now.Sub(c.refreshed) >= s.interval)
	if due {
		c.refreshed = now
	}
	return c.value, due
}

// renew returns the secret to try after the given one was refused: one that was read since then, or
// that this call reads. fresh is false where it is too early to read again, and for an error.
func (c *cache[T]) renew(ctx context.Context, s source[T], refused T) (value T, fresh bool, err error) {
	if value, done, err := c.renewed(s, refused); done {
		return value, value != refused, err
	}
	value, err = c.reading.do(ctx, func(ctx context.Context) (T, error) {
		if value, done, err := c.renewed(s, refused); done {
			return value, err
		}
		start := wallNow(s.now)
		value, err := c.read(ctx, s)
		if err == nil || s.failuresCount {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.forced, c.forcedErr = start, err
		}
		return value, err
	})
	return value, err == nil, err
}

// renewed returns the value, and whether it is all that renew can offer now.
func (c *cache[T]) renewed(s source[T], refused T) (value T, done bool, err error) {
	now := wallNow(s.now)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.value != refused {
		return c.value, true, nil
	}
	if c.forced.IsZero() || now.Sub(c.forced) >= s.interval {
		return value, false, nil
	}
	return c.value, true, c.forcedErr
}

func (c *cache[T]) read(ctx context.Context, s source[T]) (T, error) {
	start := wallNow(s.now)
	value, err := s.read(ctx)
	if err != nil {
		var none T
		return none, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.value, c.readAt = value, start
	return value, nil
}

// wallNow reads the clock without its monotonic part: Lambda freezes a process between invocations,
// and the monotonic clock may stop with it.
func wallNow(now func() time.Time) time.Time {
	if now == nil {
		now = time.Now
	}
	return now().Round(0)
}

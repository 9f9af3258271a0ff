package didit

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"time"
)

// maxAnswerBytes is how much of an answer is read, unless the exchange says otherwise. Didit's
// answers about tokens and new sessions have a few kilobytes.
const maxAnswerBytes = 2 << 20

// exchange is a request, which may have to be sent more than once, and the reading of its answer.
type exchange struct {
	op        string
	retryable bool // a second request cannot create a second session
	once      bool // a second request does no harm, but counts
	paced     bool // each attempt keeps to the client's pace
	maxBytes  int  // of an answer; 0 means maxAnswerBytes
	build     func(context.Context) (*http.Request, error)
	read      func(answer) error // returns nil for a success, else an [*Error]
}

// answer is Didit's answer, read whole.
type answer struct {
	hidden
	op     string
	status int
	header http.Header
	body   []byte
	asked  time.Time // wall clock, before the request
}

// send makes the exchange, in as many attempts as [failedAttempt.mayRetry] allows. Every error it
// returns is an [*Error].
func (c *Client) send(ctx context.Context, x exchange) error {
	for number := 1; ; number++ {
		if !x.retryable && !x.once || number > 1 {
			c.dropIdle()
		}
		if x.paced && !c.pace.wait(ctx) {
			return &Error{Kind: KindTimeout, Op: x.op, Reason: "no time left"}
		}
		failure, reached := c.attempt(ctx, x, number)
		if failure == nil {
			return nil
		}
		again := !x.once && failedAttempt{
			number: number, kind: failure.Kind, status: failure.Status, advised: failure.RetryAfter > 0,
			reached: reached, retryable: x.retryable, left: c.timeLeft(ctx),
		}.mayRetry()
		if !again || !sleep(ctx, pause()) {
			return failure
		}
	}
}

// attempt sends the request once. reached reports whether it may have reached Didit.
func (c *Client) attempt(ctx context.Context, x exchange, number int) (failure *Error, reached bool) {
	start := time.Now()
	asked := wallNow(c.Now)
	use, a, err := c.roundTripLive(ctx, x, number)
	a.op, a.asked = x.op, asked
	if err != nil {
		failure = networkError(x.op, err)
	} else if err := x.read(a); err != nil {
		failure = asError(x.op, err)
	}
	if failure != nil && (failure.Kind == KindThrottled || failure.Kind == KindUnavailable) {
		failure.RetryAfter = retryAfter(a.header, wallNow(c.Now))
	}
	if c.Observe != nil {
		c.Observe(ctx, Attempt{Op: x.op, Status: a.status, Duration: time.Since(start)})
	}
	return failure, use.reached.Load()
}

// roundTripLive retries roundTrip until the connection is one that Didit has not closed. A closed
// one carried nothing, so this is one attempt.
func (c *Client) roundTripLive(ctx context.Context, x exchange, number int) (use *connUse, a answer, err error) {
	for {
		use = new(connUse)
		a, err = c.roundTrip(ctx, x, number, use)
		// net/http takes another connection by itself, but not for a POST if it noticed the end of
		// the old one at the same moment.
		if err == nil || !use.dead.Load() || use.reached.Load() {
			return use, a, err
		}
	}
}

func (c *Client) roundTrip(ctx context.Context, x exchange, number int, use *connUse) (answer, error) {
	left := c.timeLeft(ctx)
	if left <= 0 {
		return answer{}, context.DeadlineExceeded
	}
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout(number, x.retryable, left, c.maxAttemptTime()))
	defer cancel()
	request, err := x.build(use.trace(ctx))
	if err != nil {
		return answer{}, err
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", cmp.Or(c.UserAgent, "didit-sessions"))
	// A RoundTripper does not follow redirects, on which the credentials would get lost.
	response, err := c.transport.RoundTrip(request)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	a := answer{status: response.StatusCode, header: response.Header}
	if a.status == http.StatusSwitchingProtocols {
		return a, nil // its body is the connection itself, which no context ends
	}
	maxBytes := cmp.Or(x.maxBytes, maxAnswerBytes)
	a.body, err = io.ReadAll(io.LimitReader(response.Body, int64(maxBytes)+1))
	if x.op != opToken {
		c.used.Store(wallNow(c.Now).UnixNano())
	}
	if err == nil && len(a.body) > maxBytes {
		err = errTooLong
	}
	if err != nil && a.status >= 400 {
		// The status is enough, except for a 400, which means nothing without its body.
		a.body, err = nil, nil
	}
	return a, err
}

func (c *Client) maxAttemptTime() time.Duration { return cmp.Or(c.AttemptTimeout, maxAttemptTime) }

// timeLeft returns how long the context lasts; without a deadline, long enough for everything.
func (c *Client) timeLeft(ctx context.Context) time.Duration {
	if ctx.Err() != nil {
		return 0
	}
	deadline, ok := ctx.Deadline()
	if !ok {
		return maxAttempts * c.maxAttemptTime()
	}
	return time.Until(deadline)
}

// sleep returns false if the context ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

package lambdatest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"didit-sessions/internal/awsfake"
)

// Result is a function's answer to one invocation.
type Result struct {
	// RequestID is the id of the invocation, which the function logs.
	RequestID string

	// Payload is the function's output or, if Failed, the error document. The caller may modify it.
	Payload []byte

	// ErrorType and ErrorMessage are those of the error document, if Failed.
	ErrorType, ErrorMessage string

	// Duration is the time between sending the payload and receiving the answer, without the wait
	// for the function's poll.
	Duration time.Duration

	// AnsweredAt is when the answer was received.
	AnsweredAt time.Time

	failed bool
}

// Failed reports whether the function answered with an error, a panic included.
func (r Result) Failed() bool { return r.failed }

// Panicked reports whether the function panicked, after which its process ends. aws-lambda-go adds
// a stack trace to the error document only for a panic.
func (r Result) Panicked() bool {
	var document struct {
		StackTrace []json.RawMessage `json:"stackTrace"`
	}
	return r.failed && json.Unmarshal(r.Payload, &document) == nil && len(document.StackTrace) > 0
}

type invocation struct {
	id      string
	payload []byte
	sentAt  time.Time
	answer  chan answer // buffered, because Invoke may have returned
}

type answer struct {
	result Result
	err    error
}

// Invoke sends payload to the function at its next poll and waits for the answer. Concurrent calls
// are served in the order of their arrival, as many at once as the function polls: one, unless
// [Options] allow more.
//
// It returns an error if
//   - the payload or the answer is too large: [ErrPayloadTooLarge], [ErrAnswerTooLarge];
//   - the function's timeout passes, which kills the process: [*TimeoutError];
//   - the process ends, or ended before: [*ExitError];
//   - the process reports that its init failed: [*InitError];
//   - ctx ends: the error wraps the cause. An invocation that the function has received goes on,
//     and its answer is dropped.
func (f *Function) Invoke(ctx context.Context, payload []byte) (Result, error) {
	if len(payload) > MaxPayload {
		return Result{}, fmt.Errorf("%w: %d bytes", ErrPayloadTooLarge, len(payload))
	}
	inv := &invocation{id: awsfake.NewID(), payload: payload, answer: make(chan answer, 1)}
	select {
	case f.queue <- inv:
	case <-f.initFailed:
		return Result{}, f.failure()
	case <-f.exited:
		return Result{}, f.failure()
	case <-ctx.Done():
		return Result{}, fmt.Errorf("function has not asked for the invocation: %w", context.Cause(ctx))
	}
	result, err := f.await(ctx, inv)
	f.logs.flush()
	return result, err
}

func (f *Function) await(ctx context.Context, inv *invocation) (Result, error) {
	timeout := time.NewTimer(f.options.Timeout + f.options.Grace)
	defer timeout.Stop()
	var late error
	select {
	case o := <-inv.answer:
		return o.result, o.err
	case <-f.exited:
		late = f.failure()
	case <-ctx.Done():
		late = fmt.Errorf("function has not answered request %s: %w", inv.id, context.Cause(ctx))
	case <-timeout.C:
		f.kill("timed out")
		<-f.exited
		late = &TimeoutError{RequestID: inv.id, After: f.options.Timeout, Logs: f.logs.lastLines()}
	}
	// An answer from just before counts: a panic, for example, is reported and then ends the
	// process.
	select {
	case o := <-inv.answer:
		return o.result, o.err
	default:
		return Result{}, late
	}
}

// newTraceID returns the header of a trace that is not sampled (AWS X-Ray: tracing header).
func newTraceID() string {
	var b [20]byte
	rand.Read(b[:])
	return fmt.Sprintf("Root=1-%08x-%x;Parent=%x;Sampled=0", time.Now().Unix(), b[:12], b[12:])
}

// HTTP decodes the answer as API Gateway does; see [awsfake.ReadHTTPAnswer]. It returns an error if
// the function failed.
func (r Result) HTTP() (awsfake.HTTPAnswer, error) {
	if r.failed {
		return awsfake.HTTPAnswer{}, fmt.Errorf("function failed: %s: %s", r.ErrorType, r.ErrorMessage)
	}
	return awsfake.ReadHTTPAnswer(r.Payload)
}

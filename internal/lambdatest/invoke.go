package lambdatest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"
)

// Result is a function's answer to one invocation.
type Result struct {
	// RequestID is the invocation's id, as the function saw and logged it.
	RequestID string

	// Payload is what the function answered: its output, or the error document
	// when Failed. The bytes belong to the caller.
	Payload []byte

	// ErrorType and ErrorMessage are the error document's, when Failed.
	ErrorType, ErrorMessage string

	// Duration is the time from handing the payload over to having received
	// the answer; waiting for a poll is not part of it.
	Duration time.Duration

	// AnsweredAt is when the answer had been received.
	AnsweredAt time.Time

	failed bool
}

// Failed reports whether the function answered with an error, a panic included.
func (r Result) Failed() bool { return r.failed }

// Panicked reports whether the function failed by a panic, by the stack trace in
// the error document: aws-lambda-go gives one to panics alone. The process ends
// after it.
func (r Result) Panicked() bool {
	var document struct {
		StackTrace []json.RawMessage `json:"stackTrace"`
	}
	return r.failed && json.Unmarshal(r.Payload, &document) == nil && len(document.StackTrace) > 0
}

type invocation struct {
	id         string
	payload    []byte
	handedOver time.Time
	answer     chan outcome // buffered: nobody may be waiting any more
}

type outcome struct {
	result Result
	err    error
}

// Invoke hands payload to the function at its next poll and waits for the
// answer. Concurrent calls are served in the order of their arrival, as many
// at once as the function polls: one, unless [Options] allow more.
//
// There is no answer, and an error, when
//   - the payload or the answer is too large: [ErrPayloadTooLarge], [ErrAnswerTooLarge];
//   - the function timeout passes, which kills the process: [*TimeoutError];
//   - the process ends, or has ended before: [*ExitError];
//   - the process reports that its init failed: [*InitError];
//   - ctx ends: the error wraps its cause. An invocation that was handed over
//     by then runs on, and its answer is dropped.
func (f *Function) Invoke(ctx context.Context, payload []byte) (Result, error) {
	if len(payload) > MaxPayload {
		return Result{}, fmt.Errorf("%w: %d bytes", ErrPayloadTooLarge, len(payload))
	}
	inv := &invocation{id: newRequestID(), payload: payload, answer: make(chan outcome, 1)}
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
		late = f.timedOut(inv)
	}
	// An answer given just before counts: a panic, for one, is reported and
	// then ends the process.
	select {
	case o := <-inv.answer:
		return o.result, o.err
	default:
		return Result{}, late
	}
}

func (f *Function) timedOut(inv *invocation) error {
	f.kill("timed out")
	<-f.exited
	return &TimeoutError{RequestID: inv.id, After: f.options.Timeout, Logs: f.logs.lastLines()}
}

// newRequestID returns a random UUID, version 4.
func newRequestID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// newTraceID returns the id of a trace that is not sampled (AWS X-Ray: tracing
// header).
func newTraceID() string {
	var b [20]byte
	rand.Read(b[:])
	return fmt.Sprintf("Root=1-%08x-%x;Parent=%x;Sampled=0", time.Now().Unix(), b[:12], b[12:])
}

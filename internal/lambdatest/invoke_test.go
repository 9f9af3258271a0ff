package lambdatest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"didit-sessions/internal/awsfake"
	"didit-sessions/internal/lambdatest"
)

func TestInvoke_context(t *testing.T) {
	t.Parallel()
	const timeout = 7 * time.Minute
	fn := start(t, lambdatest.Options{Name: "getsession", Timeout: timeout})
	result := invoke(t, fn, `{"do":"context"}`)
	var got struct {
		RequestID string    `json:"request_id"`
		ARN       string    `json:"arn"`
		TraceID   string    `json:"trace_id"`
		Deadline  time.Time `json:"deadline"`
	}
	if err := json.Unmarshal(result.Payload, &got); err != nil {
		t.Fatal(err)
	}
	if got.RequestID != result.RequestID || !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(got.RequestID) {
		t.Errorf("request id %q, the result's is %q", got.RequestID, result.RequestID)
	}
	if want := "arn:aws:lambda:eu-west-1:123456789012:function:getsession"; got.ARN != want {
		t.Errorf("ARN %q, want %q", got.ARN, want)
	}
	if !regexp.MustCompile(`^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0$`).MatchString(got.TraceID) {
		t.Errorf("trace id %q", got.TraceID)
	}
	// The deadline counts from the sending of the payload, in whole milliseconds.
	if allowed := got.Deadline.Sub(result.AnsweredAt.Add(-result.Duration)); (timeout - allowed).Abs() > 10*time.Millisecond {
		t.Errorf("the deadline allows %v, want %v", allowed, timeout)
	}
}

func TestInvoke_namedError(t *testing.T) {
	t.Parallel()
	fn := start(t, lambdatest.Options{})
	result := invoke(t, fn, `{"do":"fail"}`)
	if !result.Failed() || result.Panicked() || result.ErrorType != "SessionNotFound" || result.ErrorMessage != "no such session" {
		t.Errorf("got %+v, want the named error", result)
	}
	if _, err := result.HTTP(); err == nil || !strings.Contains(err.Error(), "SessionNotFound") {
		t.Errorf("HTTP of a failure: got error %v", err)
	}
	if got := invoke(t, fn, `1`); string(got.Payload) != "1" {
		t.Errorf("after a failure: got %s", got.Payload)
	}
}

func TestInvoke_crash(t *testing.T) {
	t.Parallel()
	t.Run("panic", func(t *testing.T) {
		t.Parallel()
		fn := start(t, lambdatest.Options{})
		result := invoke(t, fn, `{"do":"panic"}`)
		if !result.Failed() || !result.Panicked() || result.ErrorType != "string" || result.ErrorMessage != "out of order" {
			t.Errorf("got %+v, want the panic", result)
		}
		var exit *lambdatest.ExitError
		if _, err := fn.Invoke(patience(t), nil); !errors.As(err, &exit) || exit.Code != 1 {
			t.Errorf("after a panic: got %v, want that the process exited", err)
		}
	})
	t.Run("exit", func(t *testing.T) {
		t.Parallel()
		fn := start(t, lambdatest.Options{})
		_, err := fn.Invoke(patience(t), []byte(`{"do":"exit"}`))
		var exit *lambdatest.ExitError
		if !errors.As(err, &exit) || exit.Code != 7 || !slices.Contains(exit.Logs, "leaving") {
			t.Errorf("got %v, want exit code 7 and the log", err)
		}
	})
}

func TestInvoke_timeout(t *testing.T) {
	t.Parallel()
	fn := start(t, lambdatest.Options{Timeout: 50 * time.Millisecond})
	_, err := fn.Invoke(patience(t), []byte(`{"do":"hang"}`))
	var late *lambdatest.TimeoutError
	if !errors.As(err, &late) || late.After != 50*time.Millisecond || !strings.Contains(err.Error(), "Task timed out after 0.05 seconds") {
		t.Fatalf("got %v, want a timeout", err)
	}
	var exit *lambdatest.ExitError
	if _, err := fn.Invoke(patience(t), nil); !errors.As(err, &exit) || exit.Reason != "timed out" || exit.Code != -1 {
		t.Errorf("after a timeout: got %v, want that the process was killed", err)
	}
}

func TestInvoke_timeoutWhileFrozen(t *testing.T) {
	t.Parallel()
	fn := start(t, lambdatest.Options{Timeout: 50 * time.Millisecond})
	if _, err := fn.WaitReady(patience(t)); err != nil {
		t.Fatal(err)
	}
	if err := fn.Freeze(); err != nil {
		t.Fatal(err)
	}
	// The poll is already waiting at the Runtime API, so a frozen function is
	// handed its payload; it cannot read it.
	var late *lambdatest.TimeoutError
	if _, err := fn.Invoke(patience(t), []byte(`2`)); !errors.As(err, &late) {
		t.Errorf("got %v, want a timeout", err)
	}
}

func TestInvoke_abandoned(t *testing.T) {
	t.Parallel()
	ctx, logs := untilWaiting(t)
	fn := start(t, lambdatest.Options{MaxConcurrency: 2, Logs: logs})
	if _, err := fn.Invoke(ctx, []byte(`{"do":"meet"}`)); !errors.Is(err, errWaiting) {
		t.Fatalf("got %v, want the context's cause", err)
	}
	if got := invoke(t, fn, `{"do":"meet"}`); string(got.Payload) != `"met"` {
		t.Errorf("got %s: the abandoned invocation should have run on", got.Payload)
	}
	if got := invoke(t, fn, `1`); string(got.Payload) != `1` {
		t.Errorf("got %s, want the process to live on", got.Payload)
	}
}

func TestInvoke_sizes(t *testing.T) {
	t.Parallel()
	fn := start(t, lambdatest.Options{})
	largest := bytes.Repeat([]byte{'1'}, lambdatest.MaxPayload)
	if got := invoke(t, fn, string(largest)); !bytes.Equal(got.Payload, largest) {
		t.Errorf("%d bytes came back of %d", len(got.Payload), len(largest))
	}
	if _, err := fn.Invoke(patience(t), append(largest, '1')); !errors.Is(err, lambdatest.ErrPayloadTooLarge) {
		t.Errorf("payload of 6 MB + 1: got %v", err)
	}
	if got := invoke(t, fn, `{"do":"big","size":6291556}`); len(got.Payload) != lambdatest.MaxAnswer {
		t.Errorf("largest answer: got %d bytes", len(got.Payload))
	}
	if _, err := fn.Invoke(patience(t), []byte(`{"do":"big","size":6291557}`)); !errors.Is(err, lambdatest.ErrAnswerTooLarge) {
		t.Errorf("answer of one byte more: got %v", err)
	}
}

func TestInvoke_concurrent(t *testing.T) {
	t.Parallel()
	// Two invocations of "meet" answer only while both run.
	fn := start(t, lambdatest.Options{MaxConcurrency: 2})
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			result, err := fn.Invoke(patience(t), []byte(`{"do":"meet"}`))
			if err != nil || result.Failed() {
				t.Errorf("got %s, %v", result.Payload, err)
			}
		})
	}
	wg.Wait()
}

func TestInvoke_queues(t *testing.T) {
	t.Parallel()
	fn := start(t, lambdatest.Options{})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			result, err := fn.Invoke(patience(t), []byte(`"one by one"`))
			if err != nil || string(result.Payload) != `"one by one"` {
				t.Errorf("got %s, %v", result.Payload, err)
			}
		})
	}
	wg.Wait()
}

func TestResult_HTTP(t *testing.T) {
	t.Parallel()
	answer := func(payload string) (awsfake.HTTPAnswer, error) {
		return lambdatest.Result{Payload: []byte(payload)}.HTTP()
	}
	got, err := answer(`{"statusCode":201,"headers":{"location":"sessions/1"},"cookies":["a=1","b=2"],"body":"eyJhIjoxfQ==","isBase64Encoded":true}`)
	if err != nil {
		t.Fatal(err)
	}
	if got.Status != 201 || got.Header.Get("Location") != "sessions/1" || string(got.Body) != `{"a":1}` || len(got.Header["Set-Cookie"]) != 2 {
		t.Errorf("got %+v", got)
	}
	for _, payload := range []string{``, `"text"`, `{"session_id":"1"}`, `{"statusCode":200,"body":"!","isBase64Encoded":true}`} {
		if got, err := answer(payload); err == nil {
			t.Errorf("%s: got %+v, want an error", payload, got)
		}
	}
}

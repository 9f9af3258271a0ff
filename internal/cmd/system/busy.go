package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A busy machine makes a function meet its own limits (3 s for a call of AWS, 4.5 s for a
// delivery), and the SAM CLI give up on a container that is slow to start: it then answers for the
// function. Both say nothing about the function, so such an answer is asked for again, as Didit,
// EventBridge and Step Functions do.

// persist asks again while the answer is due to a busy machine, and returns the error of the last
// one.
func persist(ctx context.Context, ask func(context.Context) (busy bool, err error)) error {
	var last error
	answered := false
	_ = poll(ctx, soon, func(ctx context.Context) error {
		busy, err := ask(ctx)
		// A question that the end of the time cut short has no answer.
		if !answered || ctx.Err() == nil {
			answered, last = true, err
		}
		if busy {
			return errors.New("the machine is busy")
		}
		return nil
	})
	return last
}

// shortestLimit is the shortest of the functions' own limits. A refusal that came sooner has
// another reason.
const shortestLimit = 500 * time.Millisecond

// limitCodes are how functions report that a limit of theirs was met, by both doors.
var limitCodes = []string{
	"BackendUnavailable", "DiditUnavailable", "DiditTimeout", "SecretUnavailable",
	"backend_unavailable", "didit_unavailable", "didit_timeout", "internal",
}

// metLimit reports whether a function that took so long may have met a limit of its own.
func (e expectation) metLimit(took time.Duration) bool {
	return took >= shortestLimit && slices.Contains(limitCodes, e.code)
}

// reply is a whole answer by HTTP.
type reply struct {
	status int
	header http.Header
	body   []byte
	took   time.Duration
}

func exchange(client *http.Client, r *http.Request) (reply, error) {
	begin := time.Now()
	response, err := client.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, 8<<20))
	return reply{response.StatusCode, response.Header, body, time.Since(begin)}, err
}

func (r reply) write(w http.ResponseWriter) {
	maps.Copy(w.Header(), r.header)
	w.WriteHeader(r.status)
	_, _ = w.Write(r.body)
}

// invoked is the answer of sam local start-lambda as Lambda would give it.
func (r reply) invoked() invoked {
	return invoked{payload: string(r.body), failed: r.header.Get("X-Amz-Function-Error") != ""}
}

// busy reports whether an invocation ended for lack of time: by the SAM CLI, by its runtime's
// timeout, or by a limit of the function's own.
func (r reply) busy() bool {
	if r.status >= http.StatusInternalServerError || strings.HasPrefix(string(r.body), "Task timed out after ") {
		return true
	}
	outcome, err := readOutcome(r.invoked())
	return err == nil && outcome.metLimit(r.took)
}

// invoker hands invocations on to sam local start-lambda.
type invoker struct {
	url       string
	transport http.RoundTripper // nil: http.DefaultTransport
}

// ServeHTTP hands one on, until it did not end for lack of time.
func (h *invoker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	payload, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var answer reply
	err = persist(r.Context(), func(ctx context.Context) (busy bool, err error) {
		out, err := http.NewRequestWithContext(ctx, r.Method, h.url+r.URL.RequestURI(), bytes.NewReader(payload))
		if err != nil {
			return false, err
		}
		out.Header = r.Header.Clone()
		got, err := exchange(&http.Client{Transport: h.transport}, out)
		if err != nil {
			return false, err
		}
		answer = got
		return answer.busy(), nil
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	answer.write(w)
}

// courier carries deliveries of webhooks, and repeats those that are answered with 5xx. Didit does
// so too, minutes later; the simulator would also repeat a 404, which here is the answer that a
// step is about.
type courier struct{ http.RoundTripper }

// RoundTrip returns the first answer below 500.
func (c courier) RoundTrip(r *http.Request) (response *http.Response, err error) {
	err = persist(r.Context(), func(context.Context) (busy bool, err error) {
		again := r.Clone(r.Context())
		if again.Body, err = r.GetBody(); err != nil {
			return false, err
		}
		if response, err = c.RoundTripper.RoundTrip(again); err != nil {
			return false, err
		}
		if response.StatusCode < http.StatusInternalServerError {
			return false, nil
		}
		_, _ = io.Copy(io.Discard, response.Body)
		return true, errors.Join(response.Body.Close(), mismatch("answer to a delivery", response.Status, "one below 500"))
	})
	if err != nil {
		return nil, err
	}
	return response, nil
}

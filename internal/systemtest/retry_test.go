//go:build system

package systemtest

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

// On a busy machine a function meets its own time limits (3 s for a call to AWS, 4.5 s for a
// delivery), and the SAM CLI gives up on a container that is slow to start and answers in place of
// the function. Neither says anything about the function, so such a request is retried, as Didit,
// EventBridge and Step Functions do.

// retryBusy calls try until the answer is not due to a busy machine, and returns the error of the
// last answer.
func retryBusy(ctx context.Context, try func(context.Context) (busy bool, err error)) error {
	var last error
	answered := false
	_ = poll(ctx, maxWait, func(ctx context.Context) error {
		busy, err := try(ctx)
		// A request that was cut short by the end of the time has no answer.
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

// minLimit is the shortest of the functions' own time limits. A refusal that came sooner has
// another reason.
const minLimit = 500 * time.Millisecond

// limitCodes are how functions report that they met a time limit of their own, over HTTP and
// directly.
var limitCodes = []string{
	"BackendUnavailable", "DiditUnavailable", "DiditTimeout", "SecretUnavailable",
	"backend_unavailable", "didit_unavailable", "didit_timeout", "internal",
}

// mayBeLimit reports whether a function that took that long may have met a time limit of its own.
func (o outcome) mayBeLimit(took time.Duration) bool {
	return took >= minLimit && slices.Contains(limitCodes, o.code)
}

// busy reports whether an invocation ended for lack of time: by the SAM CLI, by the function's
// timeout, or by a limit of the function's own.
func (r reply) busy() bool {
	if r.status >= http.StatusInternalServerError || strings.HasPrefix(string(r.body), "Task timed out after ") {
		return true
	}
	o, err := r.invocation().outcome()
	return err == nil && o.mayBeLimit(r.took)
}

// invoker forwards invocations to sam local start-lambda, and retries those that ended for lack of
// time.
type invoker struct {
	url       string
	transport http.RoundTripper // nil: http.DefaultTransport
}

func (h *invoker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	payload, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var answer reply
	err = retryBusy(r.Context(), func(ctx context.Context) (busy bool, err error) {
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

func (r reply) write(w http.ResponseWriter) {
	maps.Copy(w.Header(), r.header)
	w.WriteHeader(r.status)
	_, _ = w.Write(r.body)
}

// courier carries deliveries of webhooks, and retries those that are answered with 5xx. Didit does
// so too, minutes later; the simulator would also retry after a 404, which here is the answer that
// a step expects.
type courier struct{ http.RoundTripper }

// RoundTrip returns the first answer below 500.
func (c courier) RoundTrip(r *http.Request) (response *http.Response, err error) {
	err = retryBusy(r.Context(), func(context.Context) (busy bool, err error) {
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

package tasks

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"didit-sessions/internal/awsfake"
	"didit-sessions/internal/verification"
)

// closedTask, as a code, stands for no error.
const closedTask verification.Code = ""

func wantError(t *testing.T, input string, err error, code verification.Code, reason string) {
	t.Helper()
	if code == closedTask {
		if err != nil {
			t.Errorf("%s: got error %v, want none", input, err)
		}
		return
	}
	e, ok := errors.AsType[*verification.Error](err)
	if !ok {
		t.Fatalf("%s: got %v (%T), want a *verification.Error", input, err, err)
	}
	if e.Code != code || !strings.Contains(e.Reason, reason) {
		t.Errorf("%s: got %v, want %s with %q", input, err, code, reason)
	}
	wait := time.Duration(0)
	if code == verification.CodeBackendUnavailable {
		wait = 30 * time.Second
	}
	if e.RetryAfter != wait {
		t.Errorf("%s: got retry after %v, want %v", input, e.RetryAfter, wait)
	}
	for _, leak := range []string{"MARKER", "PLANTED", arn, "123456789012", "arn:aws", "127.0.0.1", "http"} {
		if strings.Contains(fmt.Sprintf("%v %+v %#v %s %s", err, err, err, e.Reason, e.Detail), leak) {
			t.Errorf("%s: error %q shows %q", input, err, leak)
		}
	}
}

func TestTasks_fails(t *testing.T) {
	t.Parallel()
	const internal, backend = verification.CodeInternal, verification.CodeBackendUnavailable
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		code   verification.Code
		reason string
	}{
		{"timed out", fails(400, "TaskTimedOut"), closedTask, ""},
		{"ended", fails(400, "TaskDoesNotExist"), closedTask, ""},
		{"no token", fails(400, "InvalidToken"), closedTask, ""},
		{"timed out, qualified name", fails(400, "com.amazonaws.swf.service.v2.model#TaskTimedOut"), closedTask, ""},

		{"denied", fails(400, "AccessDeniedException"), internal, "may not complete tasks"},
		{"key denied", fails(400, "KmsAccessDeniedException"), internal, "may not use the state machine's KMS key"},
		{"key disabled", fails(400, "KmsInvalidStateException"), internal, "KMS key cannot be used"},
		{"output", fails(400, "InvalidOutput"), internal, "does not accept the task's output"},
		{"form", fails(400, "ValidationException"), internal, "form of the task's token or output"},
		{"not read", fails(400, "SerializationException"), internal, "form of the task's token or output"},
		{"too large", fails(413, "RequestEntityTooLargeException"), internal, "too large"},
		{"other service", fails(400, "UnknownOperationException"), internal, "the endpoint is not Step Functions"},
		{"unknown identity", fails(400, "UnrecognizedClientException"), internal, "credentials were refused"},

		{"throttled", fails(400, "ThrottlingException"), backend, "fails or throttles"},
		{"key throttled", fails(400, "KmsThrottlingException"), backend, "fails or throttles"},
		{"internal error", fails(500, "InternalFailure"), backend, "fails or throttles"},
		{"unavailable", fails(503, "ServiceUnavailable"), backend, "fails or throttles"},
		{"page of a proxy", reply(502, "<html>"+marker+token+"</html>"), backend, ""},
		{"page of a proxy, 200", reply(200, "<html>"+marker+token+"</html>"), backend, ""},
		{"connection closed", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, backend, "out of reach"},
	} {
		for call, complete := range calls {
			t.Run(call+"/"+test.name, func(t *testing.T) {
				t.Parallel()
				var requests atomic.Int32
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					requests.Add(1)
					test.answer(w, r)
				}))
				t.Cleanup(server.Close)
				wantError(t, test.name, complete(t.Context(), newTasks(server.URL, nil, 1)), test.code, test.reason)
				if got := requests.Load(); got != 1 {
					t.Errorf("%s: got %d requests, want 1", test.name, got)
				}
			})
		}
	}
}

// Ensure that every fault of the fake means what it does at AWS.
func TestTasks_faults(t *testing.T) {
	t.Parallel()
	const internal, backend = verification.CodeInternal, verification.CodeBackendUnavailable
	for call, complete := range calls {
		fake := startFake(t)
		fake.Open(token)
		for _, test := range []struct {
			fault  awsfake.Fault
			code   verification.Code
			reason string
		}{
			{awsfake.TaskTimedOut, closedTask, ""}, {awsfake.TaskDoesNotExist, closedTask, ""}, {awsfake.InvalidToken, closedTask, ""},
			{awsfake.Throttled, backend, "throttles"}, {awsfake.InternalError, backend, "fails"},
			{awsfake.AccessDenied, internal, "may not complete"}, {awsfake.KeyDenied, internal, "KMS key"}, {awsfake.Reset, backend, "out of reach"},
		} {
			fake.FailOnly(token, test.fault, 1)
			wantError(t, call+" "+test.reason, complete(t.Context(), newTasks(fake.URL(), nil, 1)), test.code, test.reason)
		}
		if _, ended := fake.Outcome(token); ended {
			t.Errorf("%s: the task has ended, want it to wait", call)
		}
	}
}

// Ensure that the SDK's own attempts are left to it.
func TestTasks_attempts(t *testing.T) {
	t.Parallel()
	for call, complete := range calls {
		fake := startFake(t)
		fake.Open(token)
		fake.Fail(awsfake.InternalError, 1)
		err := complete(t.Context(), newTasks(fake.URL(), nil, 2))
		if _, ended := fake.Outcome(token); err != nil || !ended || fake.Calls("") != 2 {
			t.Errorf("%s: got error %v after %d calls, ended %v, want an end by the second call", call, err, fake.Calls(""), ended)
		}
	}
}

func TestTasks_outOfReach(t *testing.T) {
	t.Parallel()
	for call, complete := range calls {
		wantError(t, call+": connection refused", complete(t.Context(), newTasks("https://states.invalid", refused, 1)), verification.CodeBackendUnavailable, "out of reach")
	}
}

// roundTrip is an [aws.HTTPClient].
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) Do(r *http.Request) (*http.Response, error) { return f(r) }

// refused is an [aws.HTTPClient] whose connections are refused. A port that a test has given back
// may be another test's by now.
var refused = roundTrip(func(*http.Request) (*http.Response, error) {
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
})

// Ensure that a silent Step Functions leaves time for the other tasks.
func TestTasks_silence(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name        string
		limit, want time.Duration // the caller's, and how long the call lasts
	}{{"no deadline", 0, 3 * time.Second}, {"a later deadline", 20 * time.Second, 3 * time.Second}, {"an earlier deadline", time.Second, time.Second}} {
		for call, complete := range calls {
			t.Run(call+"/"+test.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					tasks := newTasks("https://states.invalid", roundTrip(func(r *http.Request) (*http.Response, error) {
						<-r.Context().Done()
						return nil, r.Context().Err()
					}), 1)
					tasks.limit = 0
					ctx := t.Context()
					if test.limit > 0 {
						limited, cancel := context.WithTimeout(ctx, test.limit)
						defer cancel()
						ctx = limited
					}
					start := time.Now()
					wantError(t, test.name, complete(ctx, tasks), verification.CodeBackendUnavailable, "out of reach")
					if got := time.Since(start); got != test.want {
						t.Errorf("%s: got an error after %v, want it after %v", test.name, got, test.want)
					}
				})
			})
		}
	}
}

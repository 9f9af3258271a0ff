package bus

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

func wantError(t *testing.T, input string, err error, code verification.Code, reason string) {
	t.Helper()
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
	for _, leak := range []string{"MARKER", arn, "123456789012", "arn:aws", "127.0.0.1", "http", "event-1", "99999999"} {
		if strings.Contains(fmt.Sprintf("%v %+v %#v %s %s", err, err, err, e.Reason, e.Detail), leak) {
			t.Errorf("%s: error %q shows %q", input, err, leak)
		}
	}
}

func TestBus_Publish_fails(t *testing.T) {
	t.Parallel()
	const internal, backend = verification.CodeInternal, verification.CodeBackendUnavailable
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		code   verification.Code
		reason string
	}{
		{"denied", fails(400, "AccessDeniedException"), internal, "may not publish on the event bus"},
		{"denied, qualified name", fails(400, "com.amazonaws.events#AccessDeniedException"), internal, "may not publish"},
		{"bus missing", fails(400, "ResourceNotFoundException"), internal, "does not exist"},
		{"switched off", fails(400, "OperationDisabledException"), internal, "in this region"},
		{"form", fails(400, "ValidationException"), internal, "form of the event"},
		{"not read", fails(400, "SerializationException"), internal, "form of the event"},
		{"too large", fails(413, "RequestEntityTooLargeException"), internal, "too large"},
		{"other service", fails(400, "UnknownOperationException"), internal, "the endpoint is not EventBridge"},
		{"unknown identity", fails(400, "UnrecognizedClientException"), internal, "credentials were refused"},

		{"throttled", fails(400, "ThrottlingException"), backend, "fails or throttles"},
		{"internal error", fails(500, "InternalException"), backend, "fails or throttles"},
		{"unavailable", fails(503, "ServiceUnavailable"), backend, "fails or throttles"},
		{"page of a proxy", reply(502, "<html>"+marker+"</html>"), backend, ""},
		{"page of a proxy, 200", reply(200, "<html>"+marker+"</html>"), backend, ""},
		{"connection closed", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, backend, "out of reach"},

		{"entry throttled", fails200("ThrottlingException"), backend, "fails or throttles"},
		{"entry failed", fails200("InternalFailure"), backend, "fails or throttles"},
		{"entry denied", fails200("AccessDeniedException"), internal, "may not publish"},
		{"entry's source denied", fails200("NotAuthorizedForSourceException"), internal, "does not accept this source"},
		{"entry's type denied", fails200("NotAuthorizedForDetailTypeException"), internal, "does not accept this detail type"},
		{"entry's bus missing", fails200("ResourceNotFoundException"), internal, "does not exist"},
		{"entry's account", fails200("InvalidAccountIdException"), internal, "malformed"},
		{"entry's argument", fails200("InvalidArgument"), internal, "form of the event"},
		{"entry's detail", fails200("MalformedDetail"), internal, "form of the event"},
		{"entry not redacted", fails200("RedactionFailure"), internal, "form of the event"},
		{"error without a count", reply(200, `{"Entries":[{"ErrorCode":"InternalFailure"}]}`), backend, "fails"},

		{"count without an error", reply(200, `{"FailedEntryCount":1,"Entries":[{"EventId":"1"}]}`), backend, "does not confirm the event"},
		{"no entries", reply(200, `{"FailedEntryCount":0,"Entries":[]}`), backend, "does not confirm"},
		{"too many entries", reply(200, `{"FailedEntryCount":0,"Entries":[{"EventId":"1"},{"EventId":"2"}]}`), backend, "does not confirm"},
		{"no id", reply(200, `{"FailedEntryCount":0,"Entries":[{}]}`), backend, "does not confirm"},
		{"empty object", reply(200, `{}`), backend, "does not confirm"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				calls.Add(1)
				test.answer(w, r)
			}))
			t.Cleanup(server.Close)
			wantError(t, test.name, newBus(server.URL, nil, 1).Publish(t.Context(), newEvent()), test.code, test.reason)
			if got := calls.Load(); got != 1 {
				t.Errorf("%s: got %d calls, want 1", test.name, got)
			}
		})
	}
}

// Ensure that every fault of the fake means what it does at AWS.
func TestBus_Publish_faults(t *testing.T) {
	t.Parallel()
	const internal, backend = verification.CodeInternal, verification.CodeBackendUnavailable
	fake := &awsfake.EventBridge{}
	if err := fake.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	for _, test := range []struct {
		fault  awsfake.Fault
		code   verification.Code
		reason string
	}{
		{awsfake.Throttled, backend, "throttles"}, {awsfake.InternalError, backend, "fails"},
		{awsfake.AccessDenied, internal, "may not publish"}, {awsfake.NotFound, internal, "does not exist"},
		{awsfake.EntryFailed, backend, "fails"}, {awsfake.EntryThrottled, backend, "throttles"}, {awsfake.EntryDenied, internal, "does not accept this source"},
		{awsfake.Reset, backend, "out of reach"},
	} {
		fake.Fail(test.fault, 1)
		wantError(t, test.reason, newBus(fake.URL(), nil, 1).Publish(t.Context(), newEvent()), test.code, test.reason)
	}
	if got := fake.Events(); len(got) != 0 {
		t.Errorf("got %v, want no event", got)
	}
}

// Ensure that the SDK's own attempts are left to it.
func TestBus_Publish_attempts(t *testing.T) {
	t.Parallel()
	fake := &awsfake.EventBridge{}
	if err := fake.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	fake.Fail(awsfake.InternalError, 1)
	if err := newBus(fake.URL(), nil, 2).Publish(t.Context(), newEvent()); err != nil || fake.Calls("") != 2 || len(fake.Events()) != 1 {
		t.Errorf("got error %v after %d calls, %d events, want one event by the second call", err, fake.Calls(""), len(fake.Events()))
	}
}

func TestBus_Publish_outOfReach(t *testing.T) {
	t.Parallel()
	wantError(t, "connection refused", newBus("https://events.invalid", refused, 1).Publish(t.Context(), newEvent()), verification.CodeBackendUnavailable, "out of reach")
}

// roundTrip is an [aws.HTTPClient].
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) Do(r *http.Request) (*http.Response, error) { return f(r) }

// refused is an [aws.HTTPClient] whose connections are refused. A port that a test has given back
// may be another test's by now.
var refused = roundTrip(func(*http.Request) (*http.Response, error) {
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
})

// Ensure that a silent EventBridge leaves the invocation time to answer.
func TestBus_Publish_silence(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name        string
		limit, want time.Duration // the caller's, and how long the call lasts
	}{{"no deadline", 0, 3 * time.Second}, {"a later deadline", 20 * time.Second, 3 * time.Second}, {"an earlier deadline", time.Second, time.Second}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBus("https://events.invalid", roundTrip(func(r *http.Request) (*http.Response, error) {
					<-r.Context().Done()
					return nil, r.Context().Err()
				}), 1)
				b.limit = 0
				ctx := t.Context()
				if test.limit > 0 {
					limited, cancel := context.WithTimeout(ctx, test.limit)
					defer cancel()
					ctx = limited
				}
				start := time.Now()
				wantError(t, test.name, b.Publish(ctx, newEvent()), verification.CodeBackendUnavailable, "out of reach")
				if got := time.Since(start); got != test.want {
					t.Errorf("%s: got an error after %v, want it after %v", test.name, got, test.want)
				}
			})
		})
	}
}

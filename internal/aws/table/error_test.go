package table

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"didit-sessions/internal/awsfake"
	fakedynamodb "didit-sessions/internal/awsfake/dynamodb"
	"didit-sessions/internal/verification"
)

// addTo adds the record and drops the one that was there.
func addTo(ctx context.Context, s *Table, r verification.Record) error {
	_, _, err := s.Add(ctx, r)
	return err
}

// firstError goes through a list and returns the error that ended it.
func firstError(list iter.Seq2[string, error]) error {
	for _, err := range list {
		if err != nil {
			return err
		}
	}
	return nil
}

// operations are all that a table does.
var operations = []struct {
	name string
	call func(context.Context, *Table) error
}{
	{"Add", func(ctx context.Context, s *Table) error { return addTo(ctx, s, record()) }},
	{"Record", func(ctx context.Context, s *Table) error { _, _, err := s.Record(ctx, session); return err }},
	{"Replace", func(ctx context.Context, s *Table) error { _, err := s.Replace(ctx, record()); return err }},
	{"Remove", func(ctx context.Context, s *Table) error { _, err := s.Remove(ctx, record()); return err }},
	{"ByOwner", func(ctx context.Context, s *Table) error { _, err := s.ByOwner(ctx, "user-123", 10); return err }},
	{"Due", func(ctx context.Context, s *Table) error {
		return firstError(s.Due(ctx, verification.ClassOther, noon()))
	}},
	{"Enroll", func(ctx context.Context, s *Table) error { _, _, err := s.Enroll(ctx, record()); return err }},
	{"Claim", func(ctx context.Context, s *Table) error {
		_, _, err := s.Claim(ctx, session, noon(), time.Minute)
		return err
	}},
	{"AddToken", func(ctx context.Context, s *Table) error { return s.AddToken(ctx, session, "token") }},
	{"Tokens", func(ctx context.Context, s *Table) error { _, err := s.Tokens(ctx, session); return err }},
	{"RemoveToken", func(ctx context.Context, s *Table) error { return s.RemoveToken(ctx, session, "token") }},
	{"TakeReadBudget", func(ctx context.Context, s *Table) error {
		_, err := s.TakeReadBudget(ctx, verification.ReaderGet, noon(), 30)
		return err
	}},
}

func record() verification.Record {
	return verification.NewRecord(session, "user-123", "11111111-2222-3333-4444-555555555555", verification.StatusNotStarted, noon())
}

func wantError(t *testing.T, input string, err error, code verification.Code, reason string) {
	t.Helper()
	e, ok := errors.AsType[*verification.Error](err)
	if !ok {
		t.Fatalf("%s: got error %v (%T), want a *verification.Error", input, err, err)
	}
	if e.Code != code || !strings.Contains(e.Reason, reason) {
		t.Errorf("%s: got error %v, want %s with %q", input, err, code, reason)
	}
	wait := time.Duration(0)
	if code == verification.CodeBackendUnavailable {
		wait = 30 * time.Second
	}
	if e.RetryAfter != wait {
		t.Errorf("%s: got retry after %v, want %v", input, e.RetryAfter, wait)
	}
	for _, leak := range []string{marker, "user-123", "sessions-", awsfake.Account, "arn:", "127.0.0.1", "http", session} {
		if strings.Contains(fmt.Sprintf("%v %+v %#v %s %s", err, err, err, e.Reason, e.Detail), leak) {
			t.Errorf("%s: error %q shows %q", input, err, leak)
		}
	}
}

// Ensure that each fault of the service has the same code in every operation.
func TestTable_faults(t *testing.T) {
	t.Parallel()
	table, fake := newFake(t)
	if _, _, err := table.Add(t.Context(), record()); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		fault  awsfake.Fault
		code   verification.Code
		reason string
	}{
		{"throttled", awsfake.Throttled, verification.CodeBackendUnavailable, "fails or throttles"},
		{"throughput exceeded", fakedynamodb.ProvisionedThroughputExceeded, verification.CodeBackendUnavailable, "fails or throttles"},
		{"internal error", awsfake.InternalError, verification.CodeBackendUnavailable, "fails or throttles"},
		{"reset", awsfake.Reset, verification.CodeBackendUnavailable, "out of reach"},
		{"denied", awsfake.AccessDenied, verification.CodeInternal, "may not use the table"},
		{"no table", awsfake.NotFound, verification.CodeInternal, "does not exist"},
	} {
		for _, operation := range operations {
			fake.Fail(test.fault, 1)
			before := fake.Calls("")
			err := operation.call(t.Context(), table)
			wantError(t, operation.name+", "+test.name, err, test.code, test.reason)
			if got := fake.Calls("") - before; got != 1 {
				t.Errorf("%s, %s: got %d requests, want 1", operation.name, test.name, got)
			}
		}
	}
	// The second request of a list.
	fake.FailOnly("BatchGetItem", awsfake.AccessDenied, 1)
	_, err := table.ByOwner(t.Context(), "user-123", 10)
	wantError(t, "BatchGetItem denied", err, verification.CodeInternal, "may not use the table")
	other := *table
	other.Name = "sessions-" + marker
	for _, operation := range operations {
		wantError(t, operation.name+", another table", operation.call(t.Context(), &other), verification.CodeInternal, "does not exist")
	}
}

// answers gives every request the same answer.
func answers(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func fails(status int, name string) http.HandlerFunc {
	return answers(status, fmt.Sprintf(`{"__type":%q,"Message":"User %s","message":"arn:aws:dynamodb:eu-west-1:%s:table/%s"}`, name, marker, awsfake.Account, marker))
}

func TestTable_errors(t *testing.T) {
	t.Parallel()
	const internal, backend = verification.CodeInternal, verification.CodeBackendUnavailable
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		code   verification.Code
		reason string
	}{
		{"refused request", fails(400, "com.amazon.coral.validate#ValidationException"), internal, "refuses the request"},
		{"unreadable request", fails(400, "com.amazon.coral.service#SerializationException"), internal, "refuses the request"},
		{"unknown operation", fails(400, "UnknownOperationException"), internal, "refuses the request"},
		{"denied", fails(400, "com.amazon.coral.service#AccessDeniedException"), internal, "may not use the table"},
		{"unknown identity", fails(400, "com.amazon.coral.service#UnrecognizedClientException"), internal, "credentials were refused"},
		{"no table", fails(400, "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException"), internal, "does not exist"},

		{"throttled", fails(400, "com.amazon.coral.availability#ThrottlingException"), backend, "fails or throttles"},
		{"account limit", fails(400, "com.amazonaws.dynamodb.v20120810#RequestLimitExceeded"), backend, "fails or throttles"},
		{"unavailable", fails(503, "com.amazonaws.dynamodb.v20120810#ServiceUnavailable"), backend, "fails or throttles"},
		{"page of a proxy", answers(502, "<html>"+marker+"</html>"), backend, ""},
		{"not JSON", answers(200, marker), backend, ""},
		{"connection closed", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, backend, "out of reach"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(test.answer)
			t.Cleanup(server.Close)
			table := &Table{Client: newClient(server.URL, nil), Name: marker, Limit: patience}
			for _, operation := range operations {
				wantError(t, operation.name, operation.call(t.Context(), table), test.code, test.reason)
			}
		})
	}
}

// Ensure that retries are the SDK's own, as many as its settings say.
func TestTable_attempts(t *testing.T) {
	t.Parallel()
	table, fake := newFake(t)
	options := table.Client.Options()
	options.RetryMaxAttempts = 2
	options.Retryer = nil
	table.Client = dynamodb.New(options)
	fake.Fail(awsfake.InternalError, 1)
	if _, _, err := table.Add(t.Context(), record()); err != nil {
		t.Errorf("got %v, want the second attempt to succeed", err)
	}
	if got := fake.Calls("UpdateItem"); got != 2 {
		t.Errorf("got %d attempts, want 2", got)
	}
}

// roundTrip is an [aws.HTTPClient].
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) Do(r *http.Request) (*http.Response, error) { return f(r) }

// Ensure that a silent DynamoDB leaves the invocation time to answer.
func TestTable_silence(t *testing.T) {
	t.Parallel()
	for _, operation := range operations {
		t.Run(operation.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				table := &Table{Name: "sessions", Client: newClient("https://dynamodb.invalid", aws.HTTPClient(roundTrip(func(r *http.Request) (*http.Response, error) {
					<-r.Context().Done()
					return nil, r.Context().Err()
				})))}
				start := time.Now()
				wantError(t, operation.name, operation.call(t.Context(), table), verification.CodeBackendUnavailable, "out of reach")
				if got := time.Since(start); got != 3*time.Second {
					t.Errorf("got an error after %v, want it after 3 s", got)
				}
			})
		})
	}
}

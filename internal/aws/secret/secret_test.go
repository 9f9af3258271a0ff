package secret

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"didit-sessions/internal/verification"
)

const (
	arn    = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:didit/api-AbCdEf"
	marker = "MARKER-user/role/secret-value"
)

// patience only ends a test that hangs. The product's limits are a matter of the tests of silent
// and slow answers alone: on a busy machine others would run into them.
const patience = 10 * time.Minute

// newSecret returns a secret with the real SDK client, which makes one attempt.
func newSecret(endpoint string, client aws.HTTPClient) *Secret {
	return &Secret{ID: arn, limit: patience, previous: patience, Client: secretsmanager.NewFromConfig(aws.Config{
		Region: "eu-west-1", RetryMaxAttempts: 1, BaseEndpoint: aws.String(endpoint), HTTPClient: client,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKID-" + marker, SecretAccessKey: marker}, nil
		}),
	})}
}

// reply answers in AWS JSON 1.1.
func reply(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// fails answers with an error of the name, whose message must not be passed on.
func fails(status int, name string) http.HandlerFunc {
	return reply(status, fmt.Sprintf(`{"__type":%q,"Message":"User %s may not read %s","message":"User %s may not read %s"}`, name, marker, arn, marker, arn))
}

// cut answers with half of the body that it announces.
func cut(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.Header().Set("Content-Length", "1000")
	_, _ = io.WriteString(w, `{"SecretString":"`+marker)
	panic(http.ErrAbortHandler)
}

func wantError(t *testing.T, input string, text string, err error, code verification.Code, reason string) {
	t.Helper()
	e, ok := errors.AsType[*verification.Error](err)
	if !ok {
		t.Fatalf("%s: got text %q, error %v (%T), want a *verification.Error", input, text, err, err)
	}
	if e.Code != code || !strings.Contains(e.Reason, reason) || text != "" {
		t.Errorf("%s: got text %q, error %v, want %s with %q and no text", input, text, err, code, reason)
	}
	wait := time.Duration(0)
	if code == verification.CodeBackendUnavailable {
		wait = 30 * time.Second
	}
	if e.RetryAfter != wait {
		t.Errorf("%s: got retry after %v, want %v", input, e.RetryAfter, wait)
	}
	for _, leak := range []string{marker, arn, "123456789012", "arn:aws", "127.0.0.1", "http"} {
		if strings.Contains(fmt.Sprintf("%v %+v %#v %s %s", err, err, err, e.Reason, e.Detail), leak) {
			t.Errorf("%s: error %q shows %q", input, err, leak)
		}
	}
}

// Ensure that a read asks for the current version of the one secret, signed, once.
func TestSecret_Read(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`{"client_id":"id","client_secret":"secret"}`, "not JSON \u00e9", ""} {
		var calls atomic.Int32
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			calls.Add(1)
			body, err := io.ReadAll(r.Body)
			var input map[string]string
			if err == nil {
				err = json.Unmarshal(body, &input)
			}
			if err != nil || r.Method != http.MethodPost || r.URL.Path != "/" || len(input) != 1 || input["SecretId"] != arn {
				t.Errorf("Secrets Manager got %s %s with %s, error %v, want the id alone", r.Method, r.URL, body, err)
			}
			for name, want := range map[string]string{
				"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "secretsmanager.GetSecretValue", "Authorization": "AWS4-HMAC-SHA256 Credential=AKID-"} {
				if got := r.Header.Get(name); !strings.HasPrefix(got, want) {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
			}
			answer, err := json.Marshal(map[string]any{"ARN": arn, "Name": "didit/api", "VersionStages": []string{"AWSCURRENT"}, "SecretString": text})
			if err != nil {
				t.Error(err)
			}
			reply(http.StatusOK, string(answer))(w, r)
		}))
		t.Cleanup(server.Close)
		got, err := newSecret(server.URL, nil).Read(t.Context())
		if err != nil || got != text || calls.Load() != 1 {
			t.Errorf("got %q, error %v after %d calls, want %q after one", got, err, calls.Load(), text)
		}
	}
}

func TestSecret_Read_fails(t *testing.T) {
	t.Parallel()
	const unavailable, backend = verification.CodeSecretUnavailable, verification.CodeBackendUnavailable
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		code   verification.Code
		reason string
	}{
		{"missing", fails(400, "ResourceNotFoundException"), unavailable, "does not exist or has no value"},
		{"missing, qualified name", fails(400, "com.amazonaws.secretsmanager#ResourceNotFoundException"), unavailable, "does not exist"},
		{"denied", fails(400, "AccessDeniedException"), unavailable, "may not read the secret"},
		{"no key", fails(400, "DecryptionFailure"), unavailable, "KMS key"},
		{"being deleted", fails(400, "InvalidRequestException"), unavailable, "scheduled for deletion"},
		{"malformed name", fails(400, "InvalidParameterException"), unavailable, "name is malformed"},
		{"malformed name, by the validator", fails(400, "ValidationException"), unavailable, "name is malformed"},
		{"unknown identity", fails(400, "UnrecognizedClientException"), unavailable, "credentials were refused"},
		{"binary", reply(200, `{"ARN":"`+arn+`","SecretBinary":"TUFSS0VSLXVzZXI="}`), unavailable, "binary"},

		{"throttled", fails(400, "ThrottlingException"), backend, "fails or throttles"},
		{"internal error", fails(500, "InternalServiceError"), backend, "fails or throttles"},
		{"unavailable", fails(503, "ServiceUnavailable"), backend, "fails or throttles"},
		{"page of a proxy", reply(502, "<html>"+marker+"</html>"), backend, ""},
		{"not JSON", reply(200, marker), backend, ""},
		{"cut off", cut, backend, ""},
		{"connection closed", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, backend, "out of reach"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				calls.Add(1)
				test.answer(w, r)
			}))
			t.Cleanup(server.Close)
			text, err := newSecret(server.URL, nil).Read(t.Context())
			wantError(t, test.name, text, err, test.code, test.reason)
			if got := calls.Load(); got != 1 {
				t.Errorf("%s: got %d calls, want 1", test.name, got)
			}
		})
	}
}

func TestSecret_Read_outOfReach(t *testing.T) {
	t.Parallel()
	s := newSecret("https://secretsmanager.invalid", refused)
	text, err := s.Read(t.Context())
	wantError(t, "connection refused", text, err, verification.CodeBackendUnavailable, "out of reach")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	text, err = s.Read(ctx)
	wantError(t, "cancelled", text, err, verification.CodeBackendUnavailable, "out of reach")
}

// roundTrip is an [aws.HTTPClient].
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) Do(r *http.Request) (*http.Response, error) { return f(r) }

// refused is an [aws.HTTPClient] whose connections are refused. A port that a test has given back
// may be another test's by now.
var refused = roundTrip(func(*http.Request) (*http.Response, error) {
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
})

// Ensure that a silent Secrets Manager leaves the invocation time to answer.
func TestSecret_Read_silence(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name        string
		limit, want time.Duration // the caller's, and how long the read lasts
	}{{"no deadline", 0, 5 * time.Second}, {"a later deadline", 20 * time.Second, 5 * time.Second}, {"an earlier deadline", time.Second, time.Second}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newSecret("https://secretsmanager.invalid", roundTrip(func(r *http.Request) (*http.Response, error) {
					<-r.Context().Done()
					return nil, r.Context().Err()
				}))
				s.limit = 0
				ctx := t.Context()
				if test.limit > 0 {
					limited, cancel := context.WithTimeout(ctx, test.limit)
					defer cancel()
					ctx = limited
				}
				start := time.Now()
				text, err := s.Read(ctx)
				wantError(t, test.name, text, err, verification.CodeBackendUnavailable, "out of reach")
				if got := time.Since(start); got != test.want {
					t.Errorf("%s: got an error after %v, want it after %v", test.name, got, test.want)
				}
			})
		})
	}
}

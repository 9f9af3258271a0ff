package tasks

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"didit-sessions/internal/awsfake"
	"didit-sessions/internal/verification"
	"didit-sessions/internal/verification/verificationtest"
)

var update = flag.Bool("update", false, "write the golden files")

const (
	arn    = "arn:aws:states:eu-west-1:123456789012:stateMachine:VerifyIdentity"
	marker = "MARKER-user/role/output"
	token  = "AQCEAAAAKgAAAAMAAAAA+/=PLANTED"
)

// patience only ends a test that hangs. The product's limit is a matter of TestTasks_silence alone:
// on a busy machine others would run into it.
const patience = 10 * time.Minute

// newTasks are tasks behind the real SDK client, which makes that many attempts.
func newTasks(endpoint string, client aws.HTTPClient, attempts int) *Tasks {
	return &Tasks{limit: patience, Client: sfn.NewFromConfig(aws.Config{
		Region: "eu-west-1", RetryMaxAttempts: attempts, BaseEndpoint: aws.String(endpoint), HTTPClient: client,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKID-" + marker, SecretAccessKey: marker}, nil
		}),
	})}
}

func startFake(t *testing.T) *awsfake.StepFunctions {
	t.Helper()
	fake := &awsfake.StepFunctions{}
	if err := fake.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	return fake
}

func TestTasks(t *testing.T) {
	t.Parallel()
	verificationtest.TestTasks(t, func(t *testing.T) (verification.Tasks, verificationtest.Waiting) {
		fake := startFake(t)
		return newTasks(fake.URL(), nil, 1), verificationtest.Waiting{Open: fake.Open, Outcome: func(token string) (verificationtest.TaskOutcome, bool) {
			outcome, ended := fake.Outcome(token)
			return verificationtest.TaskOutcome{Failed: outcome.Failed, Output: outcome.Output, Name: outcome.Error, Cause: outcome.Cause}, ended
		}}
	})
}

// calls are both ways of completing a task.
var calls = map[string]func(context.Context, *Tasks) error{
	"Succeed": func(ctx context.Context, tasks *Tasks) error {
		return tasks.Succeed(ctx, token, []byte(`{"vendor_data":"`+marker+`"}`))
	},
	"Fail": func(ctx context.Context, tasks *Tasks) error { return tasks.Fail(ctx, token, "SessionExpired", marker) },
}

// reply answers in AWS JSON 1.0.
func reply(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// fails answers with an error of the name, whose message must not be passed on.
func fails(status int, name string) http.HandlerFunc {
	return reply(status, fmt.Sprintf(`{"__type":%q,"message":"User %s may not complete %s of %s"}`, name, marker, token, arn))
}

// Ensure that the wire carries the task's token and end, signed, and nothing else.
func TestTasks_wire(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		golden, target string
		call           func(context.Context, *Tasks) error
	}{
		{"success", "AWSStepFunctions.SendTaskSuccess", func(ctx context.Context, tasks *Tasks) error {
			return tasks.Succeed(ctx, token, []byte(`{ "vendor_data": "é <&>", "status": "Approved" }`))
		}},
		{"failure", "AWSStepFunctions.SendTaskFailure", func(ctx context.Context, tasks *Tasks) error {
			return tasks.Fail(ctx, token, "SessionExpired", "The session expired before the end user finished it.")
		}},
	} {
		t.Run(test.golden, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				calls.Add(1)
				body, err := io.ReadAll(r.Body)
				if err != nil || r.Method != http.MethodPost || r.URL.Path != "/" {
					t.Errorf("got %s %s, error %v, want POST /", r.Method, r.URL, err)
				}
				for name, want := range map[string]string{
					"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": test.target, "Authorization": "AWS4-HMAC-SHA256 Credential=AKID-"} {
					if got := r.Header.Get(name); !strings.HasPrefix(got, want) {
						t.Errorf("%s: got %q, want %q", name, got, want)
					}
				}
				wantGolden(t, filepath.Join("testdata", test.golden+".json"), body)
				reply(200, `{}`)(w, r)
			}))
			t.Cleanup(server.Close)
			if err := test.call(t.Context(), newTasks(server.URL, nil, 1)); err != nil || calls.Load() != 1 {
				t.Errorf("got error %v after %d calls, want none after one", err, calls.Load())
			}
		})
	}
}

// wantGolden compares JSON with a file of the same, indented.
func wantGolden(t *testing.T, path string, got []byte) {
	t.Helper()
	var indented bytes.Buffer
	if err := json.Indent(&indented, got, "", "  "); err != nil {
		t.Errorf("%s: got %s: %v", path, got, err)
		return
	}
	indented.WriteByte('\n')
	if *update {
		if err := os.WriteFile(path, indented.Bytes(), 0o644); err != nil {
			t.Error(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(indented.Bytes(), want) {
		t.Errorf("%s: got %s, want %s (error %v)", path, indented.Bytes(), want, err)
	}
}

// Ensure that what is too long for Step Functions is cut between characters, and the rest is not.
func TestTasks_Fail_clips(t *testing.T) {
	t.Parallel()
	fake := startFake(t)
	for n, test := range []struct{ name, cause, wantName, wantCause string }{
		{strings.Repeat("n", 256), strings.Repeat("c", 32768), strings.Repeat("n", 256), strings.Repeat("c", 32768)},
		{strings.Repeat("n", 257), strings.Repeat("c", 32769), strings.Repeat("n", 256), strings.Repeat("c", 32768)},
		{strings.Repeat("n", 255) + "é", strings.Repeat("c", 32766) + "世", strings.Repeat("n", 255), strings.Repeat("c", 32766)},
	} {
		token := fmt.Sprint("token", n)
		fake.Open(token)
		err := newTasks(fake.URL(), nil, 1).Fail(t.Context(), token, test.name, test.cause)
		got, ended := fake.Outcome(token)
		if err != nil || !ended || got.Error != test.wantName || got.Cause != test.wantCause {
			t.Errorf("%d and %d bytes: got error %v, ended %v, %d and %d bytes, want %d and %d", len(test.name), len(test.cause), err, ended,
				len(got.Error), len(got.Cause), len(test.wantName), len(test.wantCause))
		}
	}
}

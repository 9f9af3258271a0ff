package bus

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
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"

	"didit-sessions/internal/awsfake"
	"didit-sessions/internal/verification"
	"didit-sessions/internal/verification/verificationtest"
)

var update = flag.Bool("update", false, "write the golden files")

const (
	arn    = "arn:aws:events:eu-west-1:123456789012:event-bus/didit"
	marker = "MARKER-user/role/vendor-data"
)

// patience only ends a test that hangs. The product's limit is a matter of TestBus_Publish_silence
// alone: on a busy machine others would run into it.
const patience = 10 * time.Minute

// newBus is a bus behind the real SDK client, which makes that many attempts.
func newBus(endpoint string, client aws.HTTPClient, attempts int) *Bus {
	return &Bus{Name: arn, limit: patience, Client: eventbridge.NewFromConfig(aws.Config{
		Region: "eu-west-1", RetryMaxAttempts: attempts, BaseEndpoint: aws.String(endpoint), HTTPClient: client,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKID-" + marker, SecretAccessKey: marker}, nil
		}),
	})}
}

func newEvent() verification.Event {
	return verification.Event{ID: "event-1", Recorded: true, SessionID: "99999999-2222-3333-4444-555555555555", VendorData: marker,
		Status: verification.StatusApproved, OccurredAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), SentAt: time.Date(2026, 1, 2, 3, 4, 7, 0, time.UTC)}
}

func TestBus(t *testing.T) {
	t.Parallel()
	verificationtest.TestBus(t, func(t *testing.T) (verification.Bus, verificationtest.Delivered) {
		fake := &awsfake.EventBridge{}
		if err := fake.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(fake.Close)
		return newBus(fake.URL(), nil, 1), func(t *testing.T) (events []verification.Event) {
			for _, taken := range fake.Events() {
				e, err := verification.DecodeDetail(taken.DetailType, taken.Detail)
				if err != nil || taken.Source != "didit.sessions" || taken.Bus != arn || time.Since(taken.Time).Abs() > time.Hour {
					t.Errorf("got an event of %s on %s at %v, %v, want one of didit.sessions on %s, now", taken.Source, taken.Bus, taken.Time, err, arn)
				}
				events = append(events, e)
			}
			return events
		}
	})
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
	return reply(status, fmt.Sprintf(`{"__type":%q,"message":"User %s may not publish on %s"}`, name, marker, arn))
}

// fails200 answers that the one entry failed.
func fails200(code string) http.HandlerFunc {
	return reply(200, fmt.Sprintf(`{"FailedEntryCount":1,"Entries":[{"ErrorCode":%q,"ErrorMessage":"%s on %s"}]}`, code, marker, arn))
}

// Ensure that the wire carries one entry, signed, and nothing else.
func TestBus_Publish_wire(t *testing.T) {
	t.Parallel()
	approved := "Approved"
	full := newEvent()
	full.VendorData, full.WorkflowID, full.Environment = "user-123 \"<&>\" é", "11111111-2222-3333-4444-555555555555", "live"
	full.Checks = []verification.Check{{Feature: "ID_VERIFICATION", Status: &approved}, {Feature: "AML"}}
	data, unrecorded := full, full
	data.DataUpdated = true
	unrecorded.Recorded = false
	for name, e := range map[string]verification.Event{
		"status": full, "data": data, "unrecorded": unrecorded,
		"minimal": {ID: "read:1", Recorded: true, SessionID: full.SessionID, Status: "In Review", OccurredAt: full.OccurredAt, SentAt: full.SentAt},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				calls.Add(1)
				body, err := io.ReadAll(r.Body)
				if err != nil || r.Method != http.MethodPost || r.URL.Path != "/" {
					t.Errorf("got %s %s, error %v, want POST /", r.Method, r.URL, err)
				}
				for name, want := range map[string]string{
					"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "AWSEvents.PutEvents", "Authorization": "AWS4-HMAC-SHA256 Credential=AKID-"} {
					if got := r.Header.Get(name); !strings.HasPrefix(got, want) {
						t.Errorf("%s: got %q, want %q", name, got, want)
					}
				}
				wantGolden(t, filepath.Join("testdata", name+".json"), body)
				reply(200, `{"FailedEntryCount":0,"Entries":[{"EventId":"11710aed-b79e-4468-a20b-bb3c0c3b4860"}]}`)(w, r)
			}))
			t.Cleanup(server.Close)
			if err := newBus(server.URL, nil, 1).Publish(t.Context(), e); err != nil || calls.Load() != 1 {
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

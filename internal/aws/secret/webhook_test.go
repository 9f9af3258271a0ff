package secret

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"didit-sessions/internal/awsfake"
	"didit-sessions/internal/verification"
)

// Times of creation of the two versions.
var (
	before = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	after  = before.Add(30 * 24 * time.Hour)
)

func startSecrets(t *testing.T) *awsfake.SecretsManager {
	t.Helper()
	secrets := &awsfake.SecretsManager{}
	if err := secrets.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(secrets.Close)
	return secrets
}

func wantVersions(t *testing.T, input string, got Versions, err error, want Versions) {
	t.Helper()
	if err != nil || got != want {
		t.Errorf("%s: got %q and %q, rotated at %v, error %v, want %q and %q, rotated at %v", input, got.Current, got.Previous, got.RotatedAt, err,
			want.Current, want.Previous, want.RotatedAt)
	}
}

func TestSecret_ReadVersions(t *testing.T) {
	t.Parallel()
	secrets := startSecrets(t)
	s := newSecret(secrets.URL(), nil)
	for _, test := range []struct {
		name string
		set  func()
		want Versions
	}{
		{"never rotated", func() { secrets.SetAt(arn, "first", before) }, Versions{Current: "first", RotatedAt: before}},
		{"rotated", func() { secrets.SetAt(arn, "second", after) }, Versions{Current: "second", Previous: "first", RotatedAt: after}},
		{"taken back", func() { secrets.SetAt(arn, "first", before) }, Versions{Current: "first", Previous: "second", RotatedAt: after}},
		{"empty", func() { secrets.SetAt(arn, "", after) }, Versions{Previous: "first", RotatedAt: after}},
	} {
		test.set()
		got, err := s.ReadVersions(t.Context())
		wantVersions(t, test.name, got, err, test.want)
	}
}

// Ensure that one request asks for each version, by the one id.
func TestSecret_ReadVersions_wire(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	asked := map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var input map[string]string
		if err == nil {
			err = json.Unmarshal(body, &input)
		}
		if err != nil || len(input) != 2 || input["SecretId"] != arn || r.Header.Get("X-Amz-Target") != "secretsmanager.GetSecretValue" {
			t.Errorf("Secrets Manager got %s with %s, error %v, want the id and a stage", r.Header.Get("X-Amz-Target"), body, err)
		}
		mu.Lock()
		defer mu.Unlock()
		asked[input["VersionStage"]]++
		reply(200, `{"SecretString":"text"}`)(w, r)
	}))
	t.Cleanup(server.Close)
	got, err := newSecret(server.URL, nil).ReadVersions(t.Context())
	wantVersions(t, "without times", got, err, Versions{Current: "text", Previous: "text"})
	if len(asked) != 2 || asked["AWSCURRENT"] != 1 || asked["AWSPREVIOUS"] != 1 {
		t.Errorf("got requests %v, want one for each version", asked)
	}
}

// Ensure that errors of the current version are those of Read, whatever the previous version.
func TestSecret_ReadVersions_fails(t *testing.T) {
	t.Parallel()
	const unavailable, backend = verification.CodeSecretUnavailable, verification.CodeBackendUnavailable
	for _, test := range []struct {
		fault  awsfake.Fault
		code   verification.Code
		reason string
	}{
		{awsfake.NotFound, unavailable, "does not exist"},
		{awsfake.AccessDenied, unavailable, "may not read"},
		{awsfake.DecryptionFailure, unavailable, "KMS key"},
		{awsfake.MarkedForDeletion, unavailable, "deletion"},
		{awsfake.Throttled, backend, "throttles"},
		{awsfake.InternalError, backend, "fails"},
		{awsfake.Reset, backend, "out of reach"},
	} {
		for _, stage := range []string{"", "AWSCURRENT"} { // both versions, or the current one
			secrets := startSecrets(t)
			secrets.SetAt(arn, marker, before)
			secrets.SetAt(arn, marker, after)
			secrets.FailOnly(stage, test.fault, awsfake.UntilCleared)
			v, err := newSecret(secrets.URL(), nil).ReadVersions(t.Context())
			wantError(t, test.reason, v.Current+v.Previous, err, test.code, test.reason)
		}
	}

	server := httptest.NewServer(reply(200, `{"SecretBinary":"TUFSS0VSLXVzZXI="}`))
	t.Cleanup(server.Close)
	v, err := newSecret(server.URL, nil).ReadVersions(t.Context())
	wantError(t, "binary", v.Current, err, unavailable, "binary")
}

// Ensure that an error of the previous version does not fail the read, and that the next read has
// the version again.
func TestSecret_ReadVersions_previousFails(t *testing.T) {
	t.Parallel()
	secrets := startSecrets(t)
	secrets.SetAt(arn, "first", before)
	secrets.SetAt(arn, "second", after)
	s := newSecret(secrets.URL(), nil)
	for _, fault := range []awsfake.Fault{awsfake.NotFound, awsfake.AccessDenied, awsfake.DecryptionFailure, awsfake.Throttled, awsfake.InternalError, awsfake.Reset} {
		secrets.FailOnly("AWSPREVIOUS", fault, 1)
		got, err := s.ReadVersions(t.Context())
		wantVersions(t, fmt.Sprint("fault ", fault), got, err, Versions{Current: "second", RotatedAt: after})
		got, err = s.ReadVersions(t.Context())
		wantVersions(t, "afterwards", got, err, Versions{Current: "second", Previous: "first", RotatedAt: after})
	}
}

// denied is the delay of an answer that comes at once and refuses the read.
const denied = -1

// slowVersions answers for each stage after its delay, and never if it has none.
func slowVersions(delay map[string]time.Duration) roundTrip {
	return func(r *http.Request) (*http.Response, error) {
		var input struct{ VersionStage string }
		if err := json.NewDecoder(r.Body).Decode(&input); err != nil {
			return nil, err
		}
		answered := make(<-chan time.Time) // never
		if d, ok := delay[input.VersionStage]; ok {
			answered = time.After(d)
		}
		select {
		case <-r.Context().Done():
			return nil, r.Context().Err()
		case <-answered:
			w := httptest.NewRecorder()
			if delay[input.VersionStage] == denied {
				reply(400, `{"__type":"AccessDeniedException"}`)(w, r)
				return w.Result(), nil
			}
			reply(200, fmt.Sprintf(`{"SecretString":%q,"CreatedDate":%d}`, input.VersionStage, before.Unix()))(w, r)
			return w.Result(), nil
		}
	}
}

// Ensure that both versions are read at once, and that a silent previous one leaves Didit its
// answer.
func TestSecret_ReadVersions_slow(t *testing.T) {
	t.Parallel()
	both, current := Versions{"AWSCURRENT", "AWSPREVIOUS", before}, Versions{"AWSCURRENT", "", before}
	for _, test := range []struct {
		name  string
		delay map[string]time.Duration
		limit time.Duration // the caller's
		want  Versions      // no current one: an error
		after time.Duration
	}{
		{"side by side", map[string]time.Duration{"AWSCURRENT": time.Second, "AWSPREVIOUS": time.Second}, time.Minute, both, time.Second},
		{"current later", map[string]time.Duration{"AWSCURRENT": 3 * time.Second, "AWSPREVIOUS": time.Second}, time.Minute, both, 3 * time.Second},
		{"previous a bit later", map[string]time.Duration{"AWSCURRENT": time.Second, "AWSPREVIOUS": 1400 * time.Millisecond}, time.Minute, both, 1400 * time.Millisecond},
		{"previous too late", map[string]time.Duration{"AWSCURRENT": time.Second, "AWSPREVIOUS": 2 * time.Second}, time.Minute, current, 1500 * time.Millisecond},
		{"previous silent", map[string]time.Duration{"AWSCURRENT": 0}, time.Minute, current, 500 * time.Millisecond},
		{"previous silent, little time", map[string]time.Duration{"AWSCURRENT": 0}, 100 * time.Millisecond, current, 100 * time.Millisecond},
		{"current silent", map[string]time.Duration{"AWSPREVIOUS": 0}, time.Minute, Versions{}, 5 * time.Second},
		{"both silent", nil, time.Second, Versions{}, time.Second},
		// No request is left behind that others would meet.
		{"current refused, previous later", map[string]time.Duration{"AWSCURRENT": denied, "AWSPREVIOUS": 400 * time.Millisecond}, time.Minute, Versions{}, 400 * time.Millisecond},
		{"current refused, previous silent", map[string]time.Duration{"AWSCURRENT": denied}, time.Minute, Versions{}, 500 * time.Millisecond},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), test.limit)
				defer cancel()
				start := time.Now()
				s := newSecret("https://secretsmanager.invalid", slowVersions(test.delay))
				s.limit, s.previous = 0, 0
				got, err := s.ReadVersions(ctx)
				if test.delay["AWSCURRENT"] == denied {
					wantError(t, test.name, got.Current, err, verification.CodeSecretUnavailable, "may not read")
				} else if test.want.Current == "" {
					wantError(t, test.name, got.Current, err, verification.CodeBackendUnavailable, "out of reach")
				} else {
					wantVersions(t, test.name, got, err, test.want)
				}
				if took := time.Since(start); took != test.after {
					t.Errorf("%s: got an answer after %v, want it after %v", test.name, took, test.after)
				}
			})
		})
	}
}

// Ensure that the secrets are not printed, logged or encoded.
func TestVersions_redaction(t *testing.T) {
	t.Parallel()
	v := Versions{Current: marker, Previous: marker}
	for _, value := range []any{v, &v, []Versions{v}, struct{ V Versions }{v}} {
		var out strings.Builder
		encoded, err := json.Marshal(value)
		fmt.Fprintf(&out, "%v %+v %#v %s %q %x %s", value, value, value, value, value, value, encoded)
		slog.New(slog.NewTextHandler(&out, nil)).Info("text", "v", value)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "v", value)
		if got := out.String(); err != nil || strings.Contains(got, "MARKER") || strings.Contains(got, fmt.Sprintf("%x", "MARKER")) || !strings.Contains(got, "redacted") {
			t.Errorf("%T: got %s, error %v, want it redacted", value, got, err)
		}
	}
}

//go:build system

package systemtest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// testGateway takes the steps at the gateway. sam local start-api has no authorizer for tokens, and
// passes nothing about the caller to functions.
func (s *system) testGateway(t *testing.T) {
	for _, route := range []string{"POST /sessions", "GET /sessions", "GET /sessions/" + workflow} {
		s.step(t, route+" without proof of the caller is 401", func(t *testing.T) {
			s.request(t, route, http.StatusUnauthorized, "unauthenticated")
		})
	}
	for _, route := range []string{"GET /", "POST /sessions/" + workflow, "GET /webhooks/didit"} {
		s.step(t, route+" is no route: 403 by the gateway", func(t *testing.T) {
			s.request(t, route, http.StatusForbidden, "")
		})
	}
	s.step(t, "POST /webhooks/didit without a signature is 401", func(t *testing.T) {
		s.request(t, "POST /webhooks/didit", http.StatusUnauthorized, "unauthenticated")
	})
}

// request sends a request with an empty object to the gateway.
func (s *system) request(t *testing.T, route string, wantStatus int, wantCode string) {
	t.Helper()
	method, path, _ := strings.Cut(route, " ")
	err := retryBusy(s.ctx, func(ctx context.Context) (busy bool, err error) {
		r, err := http.NewRequestWithContext(ctx, method, s.apiURL+path, strings.NewReader("{}"))
		if err != nil {
			return false, err
		}
		r.Header.Set("Content-Type", "application/json")
		answer, err := exchange(http.DefaultClient, r)
		if err != nil {
			return false, err
		}
		var p problem
		if err = json.Unmarshal(answer.body, &p); err != nil {
			err = fmt.Errorf("status %d, body %q: %w", answer.status, answer.body, err)
		} else if got, want := (outcome{answer.status, p.Code}), (outcome{wantStatus, wantCode}); got != want {
			err = mismatch("status and code", got, want)
		}
		return answer.status >= http.StatusInternalServerError, err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// recordedOutcomes are those of the recorded events, with CallerAuth=jwt, and with secrets and
// sessions other than those at the recording. An event that is not here must not end in a failure.
var recordedOutcomes = map[string]outcome{
	"createsession-direct-full":          {},
	"createsession-direct-minimal":       {},
	"createsession-direct-refused":       {code: "InvalidRequest"},
	"createsession-http-full":            {status: http.StatusOK}, // the session of createsession-direct-full
	"createsession-http-minimal":         {status: http.StatusOK},
	"createsession-http-refused":         {http.StatusBadRequest, "invalid_request"},
	"createsession-http-iam":             {http.StatusUnauthorized, "unauthenticated"},
	"createsession-http-unauthenticated": {http.StatusUnauthorized, "unauthenticated"},
	"getsession-http-list":               {status: http.StatusOK},
	"getsession-http-one":                {http.StatusNotFound, "not_found"},
	"getsession-http-iam":                {http.StatusUnauthorized, "unauthenticated"},
	"getsession-http-unauthenticated":    {http.StatusUnauthorized, "unauthenticated"},
	"webhook-http-unsigned":              {http.StatusUnauthorized, "unauthenticated"},
	"awaitdecision-direct-refused":       {code: "InvalidRequest"},
	"awaitdecision-direct-wait":          {code: "SessionNotFound"},
	"getdecision-direct-refused":         {code: "InvalidRequest"},
	"getdecision-direct-decision":        {code: "SessionNotFound"},
	"eraseuser-direct-refused":           {code: "InvalidRequest"},
	"eraseuser-direct-user":              {},
	"reconcile-direct-schedule":          {},
	"trackstatus-direct-status":          {},
}

// failureCodes are those with which no recorded event may end.
var failureCodes = []string{"internal", "backend_unavailable", "InternalError", "BackendUnavailable", "SecretUnavailable", "Runtime.ExitError"}

// testRecordedEvents hands every recorded event to its function.
func (s *system) testRecordedEvents(t *testing.T) {
	files, err := filepath.Glob("events/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for name := range recordedOutcomes {
		if !slices.Contains(files, filepath.Join("events", name+".json")) {
			t.Errorf("events/%s.json is missing", name)
		}
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		s.step(t, name, func(t *testing.T) {
			got := s.invokeRecorded(t, name, file)
			if want, known := recordedOutcomes[name]; known && got != want {
				t.Error(mismatch("answer", got, want))
			} else if slices.Contains(failureCodes, got.code) {
				t.Error("got", got.code)
			}
		})
	}
	s.step(t, "sam local invoke with CallerAuth=iam", s.testIAM)
}

// invokeRecorded invokes the function with which the event's name begins.
func (s *system) invokeRecorded(t *testing.T, name, file string) outcome {
	t.Helper()
	payload, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	function, _, _ := strings.Cut(name, "-")
	id, err := s.template.functionID(function)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := s.aws.invoke(s.ctx, id, payload)
	if err != nil {
		t.Fatal(err)
	}
	got, err := answer.outcome()
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// testIAM runs a function once, like make sam-invoke, for callers whom the gateway authorizes by
// IAM.
func (s *system) testIAM(t *testing.T) {
	args := append([]string{"local", "invoke", "--event", "events/createsession-http-iam.json",
		"--parameter-overrides", "CallerAuth=iam"}, s.samFlags()...)
	args = append(args, "CreateSessionFunction")
	err := retryBusy(s.ctx, func(ctx context.Context) (busy bool, err error) {
		begin := time.Now()
		out, err := runCommand(ctx, s.localEnv(nil), tool("sam"), args...)
		if err != nil {
			return true, err // the SAM CLI's own: a failure of the function is output
		}
		got, err := invocation{payload: lastLines(out, 1)}.outcome()
		if want := (outcome{status: http.StatusOK}); err == nil && got != want {
			err = mismatch("answer", got, want)
		}
		return got.mayBeLimit(time.Since(begin)), err
	})
	if err != nil {
		t.Fatal(err)
	}
}

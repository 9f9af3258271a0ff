package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// problem is what the steps read of an answer that refuses.
type problem struct {
	Code string `json:"code"`
}

// testAPI takes the steps at the gateway. It knows no authorizer for tokens, and tells functions nothing of the caller.
func (s *system) testAPI(ctx context.Context) {
	for _, route := range []string{"POST /sessions", "GET /sessions", "GET /sessions/" + workflow} {
		s.report.step(ctx, route+" without proof of the caller is 401", func(ctx context.Context) error {
			return s.request(ctx, route, http.StatusUnauthorized, "unauthenticated")
		})
	}
	for _, route := range []string{"GET /", "POST /sessions/" + workflow, "GET /webhooks/didit"} {
		s.report.step(ctx, route+" is no route: the gateway refuses it", func(ctx context.Context) error {
			return s.request(ctx, route, http.StatusForbidden, "")
		})
	}
	s.report.step(ctx, "POST /webhooks/didit without a signature is 401", func(ctx context.Context) error {
		return s.request(ctx, "POST /webhooks/didit", http.StatusUnauthorized, "unauthenticated")
	})
}

// request sends a request with an empty object to the gateway.
func (s *system) request(ctx context.Context, route string, wantStatus int, wantCode string) error {
	method, path, _ := strings.Cut(route, " ")
	return persist(ctx, func(ctx context.Context) (busy bool, err error) {
		r, err := http.NewRequestWithContext(ctx, method, s.api+path, strings.NewReader("{}"))
		if err != nil {
			return false, err
		}
		r.Header.Set("Content-Type", "application/json")
		status, body, err := do(r)
		if err != nil {
			return false, err
		}
		return status >= http.StatusInternalServerError, refused(status, body, wantStatus, wantCode)
	})
}

func refused(status int, body []byte, wantStatus int, wantCode string) error {
	var p problem
	if err := json.Unmarshal(body, &p); err != nil {
		return fmt.Errorf("status %d, body %q: %w", status, body, err)
	}
	if status != wantStatus || p.Code != wantCode {
		return mismatch("status and code", fmt.Sprint(status, " ", p.Code), fmt.Sprint(wantStatus, " ", wantCode))
	}
	return nil
}

// expectation is what a function makes of an event: an HTTP answer, or at the direct door an error's
// name or none.
type expectation struct {
	status int
	code   string
}

// expected are the recorded events, with CallerAuth=jwt and secrets and sessions other than they were recorded with. An
// event that is not here must be answered without trouble.
var expected = map[string]expectation{
	"createsession-direct-full":          {},
	"createsession-direct-minimal":       {},
	"createsession-direct-refused":       {code: "InvalidRequest"},
	"createsession-http-full":            {status: http.StatusCreated},
	"createsession-http-minimal":         {status: http.StatusCreated},
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
	"reconcile-direct-schedule":          {},
	"trackstatus-direct-status":          {},
}

// troubles are what no recorded event may end with.
var troubles = []string{"internal", "backend_unavailable", "InternalError", "BackendUnavailable", "SecretUnavailable", "Runtime.ExitError"}

// testEvents hands every recorded event to its function.
func (s *system) testEvents(ctx context.Context) {
	files, err := filepath.Glob("events/*.json")
	s.report.step(ctx, "the recorded events are there", func(context.Context) error {
		for name := range expected {
			if err == nil && !slices.Contains(files, filepath.Join("events", name+".json")) {
				err = mismatch("recorded events", files, name)
			}
		}
		return err
	})
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		s.report.step(ctx, "start-lambda: events/"+name+".json", func(ctx context.Context) error {
			payload, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			got, err := s.outcome(ctx, name, string(payload))
			want, known := expected[name]
			switch {
			case err != nil:
				return err
			case known && got != want:
				return mismatch("answer", got, want)
			case slices.Contains(troubles, got.code):
				return fmt.Errorf("got %s", got.code)
			}
			return nil
		})
	}
	s.report.step(ctx, "sam local invoke: events/createsession-http-iam.json, with CallerAuth=iam", s.testIAM)
}

// outcome invokes the function that the event's name begins with.
func (s *system) outcome(ctx context.Context, name, payload string) (expectation, error) {
	function, _, _ := strings.Cut(name, "-")
	id, err := s.template.functionID(function)
	if err != nil {
		return expectation{}, err
	}
	answer, err := s.aws.invoke(ctx, id, payload)
	if err != nil {
		return expectation{}, err
	}
	return readOutcome(answer)
}

func readOutcome(answer invoked) (expectation, error) {
	if answer.failed {
		return expectation{code: answer.errorType()}, nil
	}
	var response struct {
		StatusCode int    `json:"statusCode"`
		Body       string `json:"body"`
	}
	if err := json.Unmarshal([]byte(answer.payload), &response); err != nil {
		return expectation{}, fmt.Errorf("the answer %q: %w", answer.payload, err)
	}
	var p problem
	if response.StatusCode >= 300 {
		if err := json.Unmarshal([]byte(response.Body), &p); err != nil {
			return expectation{}, fmt.Errorf("the body %q: %w", response.Body, err)
		}
	}
	return expectation{response.StatusCode, p.Code}, nil
}

// functionID is the logical id of the function in functions/name.
func (t template) functionID(name string) (string, error) {
	for id := range t.all("AWS::Lambda::Function") {
		if strings.EqualFold(id, name+"Function") {
			return id, nil
		}
	}
	return "", fmt.Errorf("the template has no function %s", name)
}

// testIAM runs a function once, as make sam-invoke does, for callers that the gateway authorises by IAM.
func (s *system) testIAM(ctx context.Context) error {
	args := append([]string{"local", "invoke", "--event", "events/createsession-http-iam.json",
		"--parameter-overrides", "CallerAuth=iam"}, s.samFlags()...)
	args = append(args, "CreateSessionFunction")
	return persist(ctx, func(ctx context.Context) (busy bool, err error) {
		begin := time.Now()
		out, err := runCommand(ctx, s.localEnv(nil), nil, s.tool("sam"), args...)
		if err != nil {
			return true, err // the SAM CLI's own: what a function fails with is its output
		}
		got, err := readOutcome(invoked{payload: lastLines(out, 1)})
		if want := (expectation{status: http.StatusCreated}); err == nil && got != want {
			err = mismatch("answer", got, want)
		}
		return got.metLimit(time.Since(begin)), err
	})
}

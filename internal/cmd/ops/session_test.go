package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"didit-sessions/internal/lambdatest"
	"didit-sessions/internal/stage"
	"didit-sessions/internal/verification"
)

// sessionWorld is an account with createsession as it ships, its table and its simulator.
type sessionWorld struct {
	*account
	stage   *stage.Stage
	ops     *ops
	out     *strings.Builder
	payload map[string]string // that createsession got
	id      string            // of the session
	url     string
}

const createArn = "arn:aws:lambda:eu-west-1:123456789012:function:create:live"

func newSessionWorld(t *testing.T, variables map[string]string) *sessionWorld {
	t.Helper()
	w := &sessionWorld{account: newAccount(t)}
	for name, value := range w.environment() {
		t.Setenv(name, value)
	}
	var err error
	if w.stage, err = stage.New(); err != nil {
		t.Fatal(err)
	}
	w.stage.Didit.Sandbox = true
	if err := w.stage.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.stage.Close)
	binary := filepath.Join(t.TempDir(), "createsession")
	if err := lambdatest.Build(t.Context(), "./functions/createsession", binary); err != nil {
		t.Fatal(err)
	}
	create := runBinary(binary, w.stage.Environment())
	w.functions[createArn] = func(payload []byte) ([]byte, string, string) {
		_ = json.Unmarshal(payload, &w.payload)
		answer, functionError, log := create(payload)
		var s createdSession
		_ = json.Unmarshal(answer, &s)
		w.id, w.url = s.ID, s.URL
		return answer, functionError, log
	}
	w.table = w.stage.Table
	w.stacks["didit-sessions"] = &fakeStack{
		status: "CREATE_COMPLETE", outputs: map[string]string{"CreateSessionFunctionArn": createArn},
		resources: map[string][2]string{
			"SessionsTable":       {"AWS::DynamoDB::Table", stage.TableName},
			"WebhookLogGroup":     {"AWS::Logs::LogGroup", "hook-logs"},
			"TrackStatusLogGroup": {"AWS::Logs::LogGroup", "track-logs"},
		},
	}
	w.ops, _ = openFake(t, w.account)
	w.out = new(strings.Builder)
	w.ops.out, w.ops.err, w.ops.verb, w.ops.every = w.out, w.out, sessionVerb, time.Millisecond
	w.ops.getenv = func(name string) string { return variables[name] }
	return w
}

// finish records a status as trackstatus does, after the first look at the table.
func (w *sessionWorld) finish(t *testing.T, status string, log bool) {
	w.afterRead = func() {
		now := time.Now()
		event := verification.Event{ID: "e", Recorded: true, SessionID: w.id, Status: status, OccurredAt: now, SentAt: now}
		if err := (&verification.Tracker{Store: w.stage.Store}).Track(t.Context(), event); err != nil {
			t.Error(err)
		}
		if log {
			line := func(at time.Time, took float64) string {
				return fmt.Sprintf(`{"timestamp":%q,"status":%q,"duration_ms":%f}`, at.Format(time.RFC3339Nano), status, took)
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			w.logs = map[string][]string{"hook-logs": {"no JSON", line(now, 42)}, "track-logs": {line(now.Add(200*time.Millisecond), 20)}}
		}
	}
}

// Ensure that a session is created by the function as it ships, and followed to its end with the
// time of each hop.
func TestSession(t *testing.T) {
	w := newSessionWorld(t, map[string]string{"WORKFLOW_ID": stage.Workflow})
	w.finish(t, verification.StatusApproved, true)
	if err := session(t.Context(), w.ops); err != nil {
		t.Fatal(err)
	}
	want := regexp.MustCompile(`^AWS account …9012 in eu-west-1
Session    ` + w.id + ` \(vendor_data make-session-[a-z2-7]{8}\)
Open it with a phone or a browser:
` + regexp.QuoteMeta(w.url) + `
\d\d:\d\d:\d\d  Not Started   
\d\d:\d\d:\d\d  Approved        webhook 42 ms, event 180 ms, table 20 ms
Approved after \d.*
$`)
	if !want.MatchString(w.out.String()) {
		t.Errorf("got:\n%s\nwant:\n%s", w.out, want)
	}
	if len(w.payload) != 2 || w.payload["workflow_id"] != stage.Workflow {
		t.Errorf("createsession got %v", w.payload)
	}
}

// Ensure that a scenario needs no person and no address on the screen, and fails if it ends in
// another way.
func TestSession_scenario(t *testing.T) {
	for status, want := range map[string]string{
		verification.StatusDeclined: "",
		verification.StatusApproved: "the scenario decline_liveness_attack ends with Approved and not with Declined",
	} {
		w := newSessionWorld(t, map[string]string{"CI": "true", "SCENARIO": "decline_liveness_attack", "VENDOR_DATA": "user-1"})
		w.finish(t, status, true)
		err := session(t.Context(), w.ops)
		if (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", status, err, want)
		}
		if w.payload["sandbox_scenario"] != "decline_liveness_attack" || w.payload["vendor_data"] != "user-1" {
			t.Errorf("createsession got %v", w.payload)
		}
		if strings.Contains(w.out.String(), w.url) {
			t.Errorf("the address of the session is in:\n%s", w.out)
		}
	}
}

func TestSession_late(t *testing.T) {
	w := newSessionWorld(t, map[string]string{"WAIT": "1ms"})
	if err := session(t.Context(), w.ops); err == nil || !strings.Contains(err.Error(), "run make doctor ENV=prod") {
		t.Errorf("got %v", err)
	}
}

// Ensure that each answer that is missing or wrong, and each refusal, is one sentence.
func TestSession_refused(t *testing.T) {
	w := newSessionWorld(t, nil)
	for _, test := range []struct {
		name      string
		variables map[string]string
		secret    string
		want      string
	}{
		{"no scenario", map[string]string{"CI": "true"}, stage.PairSecret, "SCENARIO is missing (-scenario): without a person"},
		{"wait", map[string]string{"WAIT": "25h"}, stage.PairSecret, "WAIT: must be a duration of up to 24 h 0 min"},
		{"workflow", map[string]string{"WORKFLOW_ID": "no-uuid"}, stage.PairSecret, "createsession failed: InvalidRequest: The request is invalid: workflow_id must be a UUID"},
		{"key", nil, `{"api_key":"` + secretMarker + `"}`, "CredentialsRejected: Didit's key is missing or refused; run make connect ENV=prod"},
		{"secret", nil, `{}`, "SecretUnavailable: Didit's key is missing or refused; run make connect ENV=prod"},
	} {
		w.ops.missing = nil
		w.ops.getenv = func(name string) string { return test.variables[name] }
		w.stage.Secrets.Set(stage.SecretID, test.secret)
		err := session(t.Context(), w.ops)
		if err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", test.name, err, test.want)
		}
		if strings.Contains(fmt.Sprint(err, w.out), secretMarker) {
			t.Errorf("%s: a secret is on the screen", test.name)
		}
	}
}

func TestExpected(t *testing.T) {
	t.Parallel()
	for scenario, want := range map[string]string{
		"approve": "Approved", "decline_aml_hit": "Declined", "review_poa_partial_match": "In Review", "other": "", "": "",
	} {
		if got := expected(scenario); got != want {
			t.Errorf("%s: got %q, want %q", scenario, got, want)
		}
	}
}

//go:build system

package systemtest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"didit-sessions/internal/didit/didittest"
)

// examples returns the code blocks in a language of a section of the reference.
func examples(t *testing.T, heading, language string) (blocks []string) {
	t.Helper()
	text, err := os.ReadFile("functions/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(text), "\n"+heading+"\n")
	if !found {
		t.Fatalf("the reference has no heading %q", heading)
	}
	after, _, _ = strings.Cut(after, "\n## ")
	for _, match := range regexp.MustCompile("(?s)```"+language+"\n(.+?)```").FindAllStringSubmatch(after, -1) {
		blocks = append(blocks, match[1])
	}
	return blocks
}

// testDocumentedWorkflows runs the state machines of the reference, in both query languages, to
// each of their ends, and subscribes to events as it says.
func (s *system) testDocumentedWorkflows(t *testing.T) {
	machines := slices.DeleteFunc(examples(t, "## Put it into your workflow", "json"), func(block string) bool {
		return !strings.Contains(block, `"StartAt"`)
	})
	if len(machines) != 2 || strings.Contains(machines[0], "JSONata") || !strings.Contains(machines[1], `"QueryLanguage": "JSONata"`) {
		t.Fatal(mismatch("state machines of the reference", len(machines), "one with JSONPath and one with JSONata"))
	}
	queue := s.subscribe(t)
	for i, name := range []string{"JSONPath", "JSONata"} {
		machine := s.putStateMachine(t, "Documented"+name, s.substitute(t, machines[i]))
		for _, status := range []string{"Approved", "Declined", "Kyc Expired", "Expired", "Abandoned"} {
			s.step(t, name+", "+status, func(t *testing.T) {
				failure := map[string]string{"Expired": "SessionExpired", "Abandoned": "SessionAbandoned"}[status]
				id := s.runDocumented(t, execution{machine: machine, decide: status, fails: failure})
				if status == "Approved" {
					s.wantDocumentedEvent(t, queue, id)
				}
			})
		}
		s.step(t, name+", a blocked user", func(t *testing.T) {
			s.runDocumented(t, execution{machine: machine, fault: didittest.UserBlocked, fails: "UserBlocked"})
		})
		s.step(t, name+", a throttled request", func(t *testing.T) {
			s.runDocumented(t, execution{machine: machine, fault: didittest.RateLimited.Once(), decide: "Approved"})
		})
	}
}

// runDocumented runs a state machine of the reference. Its output must have its input, and beside
// it the session and the decision, or the error that fails names.
func (s *system) runDocumented(t *testing.T, e execution) (sessionID string) {
	t.Helper()
	user := fmt.Sprint("user-of-documents-", s.executions)
	e.input = map[string]any{"user_id": user, "email": emailAddress}
	if e.fault.Name != "" {
		s.didit.Inject(e.fault)
		defer s.didit.ClearFaults()
	}
	arn := s.begin(t, e)
	if e.decide != "" {
		sessionID = s.awaitTasks(t, e, 1)
		s.setStatus(t, sessionID, e.decide)
	}
	var got struct{ Status, Output, Error, Cause string }
	s.eventually(t, func(ctx context.Context) error {
		err := s.aws.call(ctx, stepfunctions, "DescribeExecution", map[string]string{"executionArn": arn}, &got)
		if err == nil && got.Status == "RUNNING" {
			err = mismatch("execution", "RUNNING", "an end")
		}
		return err
	})
	var output struct {
		User         string                        `json:"user_id"`
		Email        string                        `json:"email"`
		Verification map[string]string             `json:"verification"`
		Decision     map[string]string             `json:"decision"`
		Error        struct{ Error, Cause string } `json:"error"`
	}
	if err := json.Unmarshal([]byte(got.Output), &output); err != nil || got.Status != "SUCCEEDED" {
		t.Fatal(mismatch("execution", got, "SUCCEEDED"))
	}
	decision := map[string]string{"session_id": sessionID, "vendor_data": user, "workflow_id": workflow, "status": e.decide}
	if e.fails != "" {
		decision = nil
	}
	if output.User != user || output.Email != emailAddress || output.Verification["session_id"] != sessionID ||
		output.Error.Error != e.fails || !maps.Equal(output.Decision, decision) {
		t.Error(mismatch("output", got.Output, fmt.Sprintf("the input, session %q, decision %v, error %q", sessionID, decision, e.fails)))
	}
	if strings.Contains(got.Output, "/session/") || strings.Contains(got.Output, "session_token") {
		t.Error("the URL is in the output: " + got.Output)
	}
	return sessionID
}

// subscribe makes the rule of the reference, and returns the queue that it fills.
func (s *system) subscribe(t *testing.T) (queueURL string) {
	t.Helper()
	var rule struct {
		OnDecision struct {
			Properties struct {
				Events struct {
					Decision struct {
						Properties struct {
							Pattern map[string]any `yaml:"Pattern"`
						} `yaml:"Properties"`
					} `yaml:"Decision"`
				} `yaml:"Events"`
			} `yaml:"Properties"`
		} `yaml:"OnDecision"`
	}
	if err := yaml.Unmarshal([]byte(examples(t, "## Events", "yaml")[0]), &rule); err != nil {
		t.Fatal(err)
	}
	pattern, err := json.Marshal(rule.OnDecision.Properties.Events.Decision.Properties.Pattern)
	if err != nil || len(pattern) < 10 {
		t.Fatal(mismatch("pattern", string(pattern), "that of the rule"), err)
	}
	var properties struct{}
	bus := s.only(t, "AWS::Events::EventBus", &properties)
	var queue struct{ QueueUrl string }
	s.call(t, sqs, "CreateQueue", map[string]string{"QueueName": "documented"}, &queue)
	s.call(t, eventbridge, "PutRule", map[string]string{"Name": "documented", "EventBusName": bus, "EventPattern": string(pattern)}, nil)
	s.call(t, eventbridge, "PutTargets", map[string]any{"Rule": "documented", "EventBusName": bus,
		"Targets": []map[string]string{{"Id": "documented", "Arn": "arn:aws:sqs:" + region + ":" + account + ":documented"}}}, nil)
	return queue.QueueUrl
}

// wantDocumentedEvent waits for the event about the session, which must have the members of the
// reference's example.
func (s *system) wantDocumentedEvent(t *testing.T, queue, sessionID string) {
	t.Helper()
	var want, event, detail map[string]json.RawMessage
	if err := json.Unmarshal([]byte(examples(t, "## Events", "json")[0]), &want); err != nil {
		t.Fatal(err)
	}
	s.eventually(t, func(ctx context.Context) error {
		bodies, err := s.receive(ctx, queue, 1)
		for _, body := range bodies {
			if strings.Contains(body, sessionID) {
				err = json.Unmarshal([]byte(body), &event)
			}
		}
		if err == nil && event == nil {
			err = mismatch("event of the session", "none", "one")
		}
		return err
	})
	delete(want, "account") // which moto leaves out
	delete(event, "account")
	names := func(object map[string]json.RawMessage) string {
		return strings.Join(slices.Sorted(maps.Keys(object)), " ")
	}
	if got, want := names(event), names(want); got != want {
		t.Error(mismatch("members of the event", got, want))
	}
	var example map[string]json.RawMessage
	if json.Unmarshal(event["detail"], &detail) != nil || json.Unmarshal(want["detail"], &example) != nil || names(detail) != names(example) {
		t.Error(mismatch("members of the detail", names(detail), names(example)))
	}
}

//go:build system

package watch

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"didit-sessions/internal/awsfake"
)

// account is AWS, as far as the playbook's commands use it.
type account struct {
	w *world
	t *testing.T

	mu     sync.Mutex
	calls  []string
	shown  map[string]int // lines, by log group
	queues map[string][]string
}

func (a *account) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	var in struct{ LogGroupName, FilterPattern, QueueURL, ReceiptHandle string }
	_ = json.Unmarshal(body, &in)
	queue := path.Base(in.QueueURL)
	switch {
	case strings.Contains(string(body), "Action=DescribeStacks"):
		a.stacks(out, r)
		return
	case operation == "FilterLogEvents":
		a.events(out, in.LogGroupName, in.FilterPattern)
	case operation == "ReceiveMessage":
		if messages := a.queues[queue]; len(messages) > 0 {
			a.answer(out, map[string]any{"Messages": []any{map[string]any{"Body": messages[0], "ReceiptHandle": "r", "MessageId": "m"}}})
		} else {
			a.answer(out, map[string]any{})
		}
		return
	case operation == "DeleteMessage" && in.ReceiptHandle == "r":
		a.queues[queue] = a.queues[queue][1:]
		a.answer(out, map[string]any{})
	case strings.HasSuffix(r.URL.Path, "/invocations"):
		operation = "Invoke " + path.Base(path.Dir(r.URL.Path))
		name := map[string]string{"TrackStatusFunction.Alias": "trackstatus", "ReconcileFunction.Alias": "reconcile"}[path.Base(path.Dir(r.URL.Path))]
		result := a.w.call(a.t, name, body)
		if result.Failed() {
			out.Header().Set("X-Amz-Function-Error", "Unhandled")
		}
		_, _ = out.Write(result.Payload)
	default:
		a.t.Errorf("unexpected request: %s %s %s", r.Method, r.URL, body)
		http.Error(out, "{}", http.StatusBadRequest)
	}
	a.calls = append(a.calls, operation)
}

func (a *account) answer(out http.ResponseWriter, v any) {
	out.Header().Set("Content-Type", "application/x-amz-json-1.0")
	_ = json.NewEncoder(out).Encode(v)
}

// stacks answers with the template's outputs, whose values are what they refer to.
func (a *account) stacks(out http.ResponseWriter, r *http.Request) {
	text, err := os.ReadFile("../../template.yaml")
	if err != nil {
		a.t.Error(err)
	}
	_, outputs, _ := strings.Cut(string(text), "\nOutputs:\n")
	var xml strings.Builder
	for _, m := range regexp.MustCompile(`(?m)^  (\w+):\n(?:    (?:Condition|Description): .*\n)+    Value: !(?:Ref|GetAtt|Sub) (.*)$`).FindAllStringSubmatch(outputs, -1) {
		value := m[2]
		if strings.HasSuffix(m[1], "QueueUrl") {
			value = "http://" + r.Host + "/" + m[1]
		}
		fmt.Fprintf(&xml, "<member><OutputKey>%s</OutputKey><OutputValue>%s</OutputValue></member>", m[1], value)
	}
	fmt.Fprintf(out, `<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>%s</StackName><CreationTime>2026-11-26T12:00:00Z</CreationTime>`+
		`<StackStatus>CREATE_COMPLETE</StackStatus><Outputs>%s</Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>`, stack, xml.String())
}

// events answers with the lines of a log group that match.
func (a *account) events(out http.ResponseWriter, group, pattern string) {
	var lines []string
	for _, p := range a.w.started {
		if strings.EqualFold(p.name+"LogGroup", group) {
			lines = append(lines, append(p.LogLines(), a.w.reports[p.name]...)...)
		}
	}
	if group == "ApiLogGroup" {
		lines = append(lines, a.w.access...)
	}
	events := []any{}
	for _, line := range lines {
		var values map[string]any
		if json.Unmarshal([]byte(line), &values) == nil && matches(a.t, pattern, values) {
			events = append(events, map[string]any{"message": line, "timestamp": 1, "eventId": "e"})
			a.shown[group]++
		}
	}
	a.answer(out, map[string]any{"events": events})
}

// playbook returns the shell commands of each paragraph, by its title; those that all need have
// none.
func playbook(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../functions/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, part, found := strings.Cut(string(text), "\n### Alarms\n")
	part, _, _ = strings.Cut(part, "\n## ")
	if !found {
		t.Fatal("functions/README.md has no alarms")
	}
	commands := map[string]string{}
	for paragraph := range strings.SplitSeq(part, "\n#### ") {
		title, _, _ := strings.Cut(paragraph, "\n")
		if !strings.HasPrefix(paragraph, "\n") {
			title = strings.TrimSpace(title)
		}
		for _, m := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(paragraph, -1) {
			commands[title] += m[1]
		}
	}
	return commands
}

// Ensure that every command of the playbook runs as it stands, with the AWS CLI of .venv, and shows
// the lines that the paragraph is about; and that dead letters come to the function and are gone.
func TestPlaybook(t *testing.T) {
	t.Parallel()
	venv, err := filepath.Abs("../../.venv")
	if err != nil {
		t.Fatal(err)
	}
	commands := playbook(t)
	for _, test := range []struct {
		alarm string
		make  func(*testing.T, *world)
		shows string // a log group of which lines are shown
	}{
		{"FunctionErrors", hang, "CreateSessionLogGroup"},
		{"OperatorMustAct", conditions["OperatorMustAct"][0].make, "CreateSessionLogGroup"},
		{"ServerErrors", failing(1), "ApiLogGroup"},
		{"Slow", func(t *testing.T, w *world) { w.created(t) }, ""},
		{"Throttled", func(_ *testing.T, w *world) { w.answered(createRoute, "503", "429") }, "ApiLogGroup"},
		{"WebhooksFailing", func(t *testing.T, w *world) {
			w.delivered(t, 200, "x-signature-previous", "didit-webhook-secret-for-local-use-only-0000", time.Now())
		}, "WebhookLogGroup"},
		{"NothingArrives", func(t *testing.T, w *world) { forged(1)(t, w) }, "WebhookLogGroup"},
		{"ReconcileSilent", func(t *testing.T, w *world) { w.Table.Fail(awsfake.Throttled, 1); reconciling(t, w) }, "ReconcileLogGroup"},
		{"TooOld", waiting(28), "ReconcileLogGroup"},
		{"DeadLetters", func(t *testing.T, w *world) { conditions["DeadLetters"][1].make(t, w); w.Table.ClearFaults() }, "TrackStatusLogGroup"},
	} {
		t.Run(test.alarm, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			w.function(t, "trackstatus")
			test.make(t, w)
			w.timeout = 0
			event := string(recorded(t, "trackstatus-direct-status"))
			quoted, _ := json.Marshal(map[string]any{"requestPayload": json.RawMessage(event)})
			a := &account{w: w, t: t, shown: map[string]int{}, queues: map[string][]string{"HandOverQueueUrl": {event, event}, "FailedEventsQueueUrl": {string(quoted)}}}
			server := httptest.NewServer(a)
			defer server.Close()
			dir := t.TempDir()
			// The CLI takes the endpoint of SQS from no variable.
			wrapper := "#!/bin/sh\nexec '" + filepath.Join(venv, "bin/aws") + "' --endpoint-url " + server.URL + " \"$@\"\n"
			if err := errors.Join(os.MkdirAll(filepath.Join(dir, ".venv/bin"), 0o700), os.WriteFile(filepath.Join(dir, ".venv/bin/aws"), []byte(wrapper), 0o700),
				os.Symlink(filepath.Join(venv, "bin/python"), filepath.Join(dir, ".venv/bin/python"))); err != nil {
				t.Fatal(err)
			}
			script := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", commands[""]+commands[test.alarm])
			script.Dir = dir
			script.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "AWS_REGION=eu-west-1", "AWS_DEFAULT_REGION=eu-west-1",
				"AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=not-a-real-key"}
			shown, err := script.CombinedOutput()
			if commands[test.alarm] == "" || err != nil || len(a.calls) == 0 {
				t.Errorf("%v after the calls %q: %s", err, a.calls, shown)
			}
			if test.shows != "" && a.shown[test.shows] == 0 {
				t.Errorf("no line of %s was shown: %s", test.shows, shown)
			}
			left := len(a.queues["HandOverQueueUrl"]) + len(a.queues["FailedEventsQueueUrl"])
			if want := map[bool]int{true: 0, false: 3}[test.alarm == "DeadLetters"]; left != want {
				t.Errorf("%d messages are left, want %d: %s", left, want, shown)
			}
		})
	}
}

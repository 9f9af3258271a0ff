package awsfake_test

import (
	"strings"
	"testing"

	"didit-sessions/internal/awsfake"
)

func startTasks(t *testing.T) *awsfake.StepFunctions {
	t.Helper()
	tasks := &awsfake.StepFunctions{}
	if err := tasks.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tasks.Close)
	return tasks
}

// send is a request that completes a task: an operation without Send, and a body.
func send(tasks *awsfake.StepFunctions, operation, body string) call {
	return call{url: tasks.URL(), target: "AWSStepFunctions.Send" + operation, contentType: "application/x-amz-json-1.0", service: "states", body: body}
}

func TestStepFunctions_complete(t *testing.T) {
	t.Parallel()
	tasks := startTasks(t)
	for _, token := range []string{"a", "b", "c", "d"} {
		tasks.Open(token)
	}
	send(tasks, "TaskSuccess", `{"taskToken":"a","output":"{\"status\":\"`+marker+`\"}"}`).want(t, "success", 200, "")
	send(tasks, "TaskFailure", `{"taskToken":"b","error":"SessionExpired","cause":"`+marker+`"}`).want(t, "failure", 200, "")
	send(tasks, "TaskFailure", `{"taskToken":"c"}`).want(t, "failure without a reason", 200, "")
	for token, want := range map[string]awsfake.TaskOutcome{
		"a": {Output: `{"status":"` + marker + `"}`},
		"b": {Failed: true, Error: "SessionExpired", Cause: marker},
		"c": {Failed: true},
	} {
		got, ended := tasks.Outcome(token)
		if !ended || got != want {
			t.Errorf("task %s: got %v, ended %v, want %v", token, got, ended, want)
		}
		wantRedacted(t, got)
		tasks.Open(token)
		send(tasks, "TaskSuccess", `{"taskToken":"`+token+`","output":"1"}`).want(t, "again", 400, "TaskTimedOut")
		if again, _ := tasks.Outcome(token); again != want {
			t.Errorf("task %s, completed again: got %v, want %v", token, again, want)
		}
	}
	if got, ended := tasks.Outcome("d"); ended {
		t.Errorf("task d: got %v, want it to wait", got)
	}
	send(tasks, "TaskSuccess", `{"taskToken":"e","output":"1"}`).want(t, "never opened", 400, "InvalidToken")
	if got := tasks.Calls(""); got != 7 {
		t.Errorf("got %d calls, want 7", got)
	}
	wantRedacted(t, tasks)
}

func TestStepFunctions_refuses(t *testing.T) {
	t.Parallel()
	tasks := startTasks(t)
	tasks.Open("a")
	send(tasks, "TaskSuccess", `{"taskToken":"a","output":"1"}`).wantProtocolErrors(t)
	long := strings.Repeat
	for name, test := range map[string]struct{ operation, body, want string }{
		"no token":     {"TaskSuccess", `{"output":"1"}`, "ValidationException"},
		"empty token":  {"TaskSuccess", `{"taskToken":"","output":"1"}`, "ValidationException"},
		"long token":   {"TaskSuccess", `{"taskToken":"` + long("a", 2049) + `","output":"1"}`, "ValidationException"},
		"no output":    {"TaskSuccess", `{"taskToken":"a"}`, "ValidationException"},
		"long output":  {"TaskSuccess", `{"taskToken":"a","output":"` + long("1", 262145) + `"}`, "ValidationException"},
		"empty output": {"TaskSuccess", `{"taskToken":"a","output":""}`, "InvalidOutput"},
		"no JSON":      {"TaskSuccess", `{"taskToken":"a","output":"` + marker + `"}`, "InvalidOutput"},
		"long error":   {"TaskFailure", `{"taskToken":"a","error":"` + long("e", 257) + `"}`, "ValidationException"},
		"long cause":   {"TaskFailure", `{"taskToken":"a","cause":"` + long("c", 32769) + `"}`, "ValidationException"},
	} {
		send(tasks, test.operation, test.body).want(t, name, 400, test.want)
	}
	if got, ended := tasks.Outcome("a"); ended {
		t.Errorf("got %v, want the task to wait", got)
	}
	send(tasks, "TaskFailure", `{"taskToken":"a","error":"`+long("\u4e16", 256)+`","cause":"`+long("\u4e16", 32768)+`"}`).want(t, "longest", 200, "")
}

func TestStepFunctions_faults(t *testing.T) {
	t.Parallel()
	tasks := startTasks(t)
	tasks.Open("a")
	tasks.Open("b")
	good := send(tasks, "TaskSuccess", `{"taskToken":"a","output":"1"}`)
	for fault, want := range map[awsfake.Fault]struct {
		status    int
		errorType string
	}{
		awsfake.Throttled:        {400, "ThrottlingException"},
		awsfake.AccessDenied:     {400, "AccessDeniedException"},
		awsfake.NotFound:         {400, "TaskDoesNotExist"},
		awsfake.InternalError:    {500, "InternalFailure"},
		awsfake.TaskTimedOut:     {400, "TaskTimedOut"},
		awsfake.TaskDoesNotExist: {400, "TaskDoesNotExist"},
		awsfake.InvalidToken:     {400, "InvalidToken"},
		awsfake.KeyDenied:        {400, "KmsAccessDeniedException"},
	} {
		tasks.Fail(fault, 1)
		good.want(t, want.errorType, want.status, want.errorType)
	}
	tasks.FailOnly("a", awsfake.Throttled, awsfake.UntilCleared)
	send(tasks, "TaskSuccess", `{"taskToken":"b","output":"1"}`).want(t, "another task", 200, "")
	good.want(t, "the task with the fault", 400, "ThrottlingException")
	tasks.ClearFaults()
	good.wantDisconnected(t, func() int { return tasks.Calls("") }, func(silence bool) {
		if silence {
			tasks.Fail(awsfake.Silence, awsfake.UntilCleared)
		} else {
			tasks.Fail(awsfake.Reset, 1)
		}
	})
	if got, ended := tasks.Outcome("a"); ended {
		t.Errorf("got %v, want the task to wait", got)
	}
	tasks.ClearFaults()
	good.want(t, "after ClearFaults", 200, "")
}

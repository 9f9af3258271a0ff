package lambdatest

import (
	"encoding/json"
	"net/http"
	"unicode/utf8"
)

// Limits in characters (AWS Step Functions: SendTaskSuccess, SendTaskFailure).
const (
	mostToken  = 2048
	mostOutput = 262144
	mostError  = 256
	mostCause  = 32768
)

var statesProtocol = awsJSON{
	contentType: "application/x-amz-json-1.0", target: "AWSStepFunctions", name: "states", mostBytes: 2 << 20, internal: "InternalFailure",
}

// taskRequest is a request that completes a task; nil is absent.
type taskRequest struct {
	TaskToken *string `json:"taskToken"`
	Output    *string `json:"output"`
	Error     *string `json:"error"`
	Cause     *string `json:"cause"`
}

// ServeHTTP answers a request that completes a task, or with the pending fault.
func (s *StepFunctions) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	operation, body, ok := statesProtocol.read(w, r)
	if !ok {
		return
	}
	if operation != "SendTaskSuccess" && operation != "SendTaskFailure" {
		statesProtocol.refuse(w, 400, "UnknownOperationException", "")
		return
	}
	var request taskRequest
	if err := json.Unmarshal(body, &request); err != nil {
		statesProtocol.refuse(w, 400, "SerializationException", "")
		return
	}
	fault := s.count(orEmpty(request.TaskToken))
	if code, message := fault.ofTask(); code != "" {
		statesProtocol.refuse(w, 400, code, message)
		return
	}
	if fault != 0 {
		statesProtocol.strike(w, r, fault, operation, "arn:aws:states:"+Region+":"+Account+":stateMachine:VerifyIdentity")
		return
	}
	failure := operation == "SendTaskFailure"
	code, message := request.refused(failure)
	if code == "" {
		code, message = s.complete(*request.TaskToken, TaskOutcome{failure, orEmpty(request.Output), orEmpty(request.Error), orEmpty(request.Cause)})
	}
	if code != "" {
		statesProtocol.refuse(w, 400, code, message)
		return
	}
	statesProtocol.reply(w, struct{}{})
}

func (s *StepFunctions) count(token string) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	return s.faults.next(token)
}

// refused says why the request is refused, whatever its token; an empty code is none.
func (r taskRequest) refused(failure bool) (code, message string) {
	for _, part := range []struct {
		name     string
		text     *string
		required bool
		most     int
	}{
		{"taskToken", r.TaskToken, true, mostToken},
		{"output", r.Output, !failure, mostOutput},
		{"error", r.Error, false, mostError},
		{"cause", r.Cause, false, mostCause},
	} {
		tooShort := part.required && (part.text == nil || *part.text == "" && part.name == "taskToken")
		if tooShort || utf8.RuneCountInString(orEmpty(part.text)) > part.most {
			return "ValidationException", "1 validation error detected: Value at '" + part.name + "' failed to satisfy constraint"
		}
	}
	if !failure && !json.Valid([]byte(*r.Output)) {
		return "InvalidOutput", "Invalid Output: 'The output is not valid JSON'"
	}
	return "", ""
}

// complete ends the task that waits on the token.
func (s *StepFunctions) complete(token string, outcome TaskOutcome) (code, message string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	standing, known := s.tasks[token]
	switch {
	case !known:
		return InvalidToken.ofTask()
	case standing != nil:
		return TaskTimedOut.ofTask()
	}
	s.tasks[token] = &outcome
	return "", ""
}

// ofTask is the error of a fault that Step Functions alone knows, or nothing.
func (fault Fault) ofTask() (code, message string) {
	switch fault {
	case TaskTimedOut:
		return "TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'"
	case TaskDoesNotExist, NotFound:
		return "TaskDoesNotExist", "Task does not exist: 'Provided task does not exist'"
	case InvalidToken:
		return "InvalidToken", "Invalid Token: 'Invalid token'"
	case KeyDenied:
		return "KmsAccessDeniedException", "The caller may not use the key arn:aws:kms:" + Region + ":" + Account + ":key/state-machine."
	}
	return "", ""
}

func orEmpty(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}

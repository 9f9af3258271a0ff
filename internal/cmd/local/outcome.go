package main

import (
	"encoding/json"
	"errors"

	"github.com/aws/aws-lambda-go/lambda/messages"

	"didit-sessions/internal/memory"
	"didit-sessions/internal/verification"
)

// output is the state machine's.
type output struct {
	Outcome   string  `json:"outcome"` // verified, rejected or not_finished
	Status    *string `json:"status"`
	SessionID *string `json:"session_id"`
}

// ending is how an execution ends: with an output, or with the name of an error.
type ending struct {
	output *output
	err    string
}

// timedOut is Step Functions' name for a task that took too long.
const timedOut = "States.Timeout"

// outcomeOf is what the state machine makes of a task's end.
func outcomeOf(task memory.Outcome, sessionID string) ending {
	end := func(outcome string, status *string) ending {
		return ending{output: &output{Outcome: outcome, Status: status, SessionID: &sessionID}}
	}
	if task.Failed {
		switch task.Name {
		case verification.TaskSessionExpired:
			return end("not_finished", new(verification.StatusExpired))
		case verification.TaskSessionAbandoned:
			return end("not_finished", new(verification.StatusAbandoned))
		case verification.TaskSessionNotFound, timedOut:
			return end("not_finished", nil)
		}
		return ending{err: task.Name}
	}
	var decision struct {
		Status string `json:"status"`
	}
	_ = json.Unmarshal([]byte(task.Output), &decision)
	switch decision.Status {
	case verification.StatusApproved:
		return end("verified", &decision.Status)
	case verification.StatusDeclined:
		return end("rejected", &decision.Status)
	case verification.StatusKYCExpired:
		return end("not_finished", &decision.Status)
	}
	return ending{err: "InternalError"}
}

// blockedOrFailed is what the state machine makes of a session that could not be created.
func blockedOrFailed(err error) ending {
	name := errorName(err)
	if name == "UserBlocked" {
		return ending{output: &output{Outcome: "rejected"}}
	}
	return ending{err: name}
}

// errorName is the name on which the state machine matches.
func errorName(err error) string {
	if failure, ok := errors.AsType[messages.InvokeResponse_Error](err); ok {
		return failure.Type
	}
	return "Lambda.Unknown"
}

package main

import (
	"encoding/json"
	"errors"

	"github.com/aws/aws-lambda-go/lambda/messages"

	"didit-sessions/internal/memory"
	"didit-sessions/internal/verification"
)

// output is the output of the state machine.
type output struct {
	Outcome   string  `json:"outcome"` // verified, rejected or not_finished
	Status    *string `json:"status"`
	SessionID *string `json:"session_id"`
}

// ending is the end of an execution: an output, or the name of an error.
type ending struct {
	output *output
	err    string
}

// timedOut is Step Functions' name for a task that took too long.
const timedOut = "States.Timeout"

// outcomeOf returns the end of an execution whose task ended.
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

// outcomeOfCreate returns the end of an execution that could not create its session.
func outcomeOfCreate(err error) ending {
	name := errorName(err)
	if name == "UserBlocked" {
		return ending{output: &output{Outcome: "rejected"}}
	}
	return ending{err: name}
}

// errorName returns the name on which the state machine matches.
func errorName(err error) string {
	if failure, ok := errors.AsType[messages.InvokeResponse_Error](err); ok {
		return failure.Type
	}
	return "Lambda.Unknown"
}

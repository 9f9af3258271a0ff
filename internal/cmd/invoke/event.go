package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"didit-sessions/internal/verification"
)

// event is a function's payload.
type event struct {
	payload   []byte
	iam       bool   // API Gateway authorized the caller by IAM
	sessionID string // the session that it is about; empty if there is none yet
	principal string // the signed-in user, if any
	taskToken string // the task that waits on the session, if any
}

// readEvent reads an event file. Its errors name the file.
func readEvent(file string) (event, error) {
	if file == "" {
		return event{}, errors.New("-event is missing")
	}
	payload, err := os.ReadFile(file)
	if err != nil {
		return event{}, fmt.Errorf("the event file: %w", err)
	}
	// Lambda accepts no other payload (AWS Lambda: Invoke).
	if !json.Valid(payload) {
		return event{}, fmt.Errorf("the event file %s is not JSON", file)
	}
	return parseEvent(payload), nil
}

// parseEvent finds what the function's environment depends on. A payload with the result of an IAM
// authorizer (AWS API Gateway: payload format 2.0) is for a deployment whose callers are servers.
func parseEvent(payload []byte) event {
	var document struct {
		RequestContext struct {
			Authorizer struct {
				IAM map[string]any `json:"iam"`
				JWT struct {
					Claims map[string]any `json:"claims"`
				} `json:"jwt"`
			} `json:"authorizer"`
		} `json:"requestContext"`
		RawPath   string `json:"rawPath"`
		Body      string `json:"body"`
		SessionID string `json:"session_id"`
		TaskToken string `json:"task_token"`
		Detail    struct {
			SessionID string `json:"session_id"`
		} `json:"detail"`
	}
	// A payload of another form is not about a session.
	_ = json.Unmarshal(payload, &document)
	authorizer := document.RequestContext.Authorizer
	e := event{payload: payload, iam: authorizer.IAM != nil, taskToken: document.TaskToken}
	e.principal, _ = authorizer.JWT.Claims["sub"].(string)
	var body struct {
		SessionID string `json:"session_id"`
	}
	_ = json.Unmarshal([]byte(document.Body), &body)
	for _, id := range []string{document.SessionID, document.Detail.SessionID, body.SessionID, path.Base(document.RawPath)} {
		if verification.ValidUUID(id) {
			e.sessionID = strings.ToLower(id)
			break
		}
	}
	return e
}

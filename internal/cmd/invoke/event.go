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
	iam       bool   // authorised by IAM
	sessionID string // of the session that it is about; empty: of none, or of a new one
	principal string // the signed-in user; empty: nobody
	taskToken string // of the task that it brings
}

// readEvent reads an event file. The errors name the file.
func readEvent(file string) (event, error) {
	if file == "" {
		return event{}, errors.New("-event is missing")
	}
	payload, err := os.ReadFile(file)
	if err != nil {
		return event{}, fmt.Errorf("the event file: %w", err)
	}
	// Lambda takes no other payload (AWS Lambda: Invoke).
	if !json.Valid(payload) {
		return event{}, fmt.Errorf("the event file %s is not JSON", file)
	}
	return parseEvent(payload), nil
}

// parseEvent finds in a payload what the surroundings of the function depend on. An event with the
// proof of an IAM authorizer (AWS API Gateway: payload format 2.0) belongs to a deployment where
// callers are servers.
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
	// A payload of another shape is about no session.
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

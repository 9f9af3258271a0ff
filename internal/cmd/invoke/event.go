package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// event is a function's payload.
type event struct {
	payload []byte
	iam     bool // authorised by IAM
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
	return event{payload: payload, iam: hasIAM(payload)}, nil
}

// hasIAM reports whether API Gateway has put the proof of an IAM authorizer
// into the event (AWS API Gateway: payload format 2.0). Such an event belongs
// to a deployment where callers are servers.
func hasIAM(payload []byte) bool {
	var document struct {
		RequestContext struct {
			Authorizer struct {
				IAM map[string]any `json:"iam"`
			} `json:"authorizer"`
		} `json:"requestContext"`
	}
	return json.Unmarshal(payload, &document) == nil && document.RequestContext.Authorizer.IAM != nil
}

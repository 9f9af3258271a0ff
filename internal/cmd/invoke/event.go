package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"didit-sessions/internal/didit"
	"didit-sessions/internal/stage"
	"didit-sessions/internal/verification"
)

// event is a function's payload.
type event struct {
	payload   []byte
	iam       bool   // API Gateway authorized the caller by IAM
	sessionID string // the session that it is about; empty if there is none yet
	principal string // the signed-in user, or the end user whose sessions a server lists; may be empty
	taskToken string // the task that waits on the session, if any
	userID    string // the end user whom it names, if any
}

// subject is a document about a session.
type subject struct {
	SessionID string `json:"session_id"`
}

// readEvent reads an event file. Its errors name the file.
func readEvent(file string) (event, error) {
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
		Query struct {
			VendorData string `json:"vendor_data"`
		} `json:"queryStringParameters"`
		RawPath   string  `json:"rawPath"`
		Body      string  `json:"body"`
		UserID    string  `json:"vendor_data"`
		TaskToken string  `json:"task_token"`
		Detail    subject `json:"detail"`
		subject
	}
	// A payload of another form is not about a session.
	_ = json.Unmarshal(payload, &document)
	authorizer := document.RequestContext.Authorizer
	e := event{payload: payload, iam: authorizer.IAM != nil, taskToken: document.TaskToken, userID: document.UserID}
	claim, _ := authorizer.JWT.Claims["sub"].(string)
	e.principal = cmp.Or(claim, document.Query.VendorData)
	var body subject
	_ = json.Unmarshal([]byte(document.Body), &body)
	ids := []string{document.SessionID, document.Detail.SessionID, body.SessionID, path.Base(document.RawPath)}
	if i := slices.IndexFunc(ids, verification.ValidUUID); i >= 0 {
		e.sessionID = strings.ToLower(ids[i])
	}
	return e
}

var signedTime = regexp.MustCompile(`"timestamp": ?\d+`)

// signNow returns the payload of a webhook with the time now, signed again, because the delivery in
// a file is too old to be accepted. If it is not signed with [stage.WebhookSecret], and for any
// other payload, it returns the payload as it is.
func signNow(payload []byte, now time.Time) []byte {
	var document map[string]any
	_ = json.Unmarshal(payload, &document)
	headers, _ := document["headers"].(map[string]any)
	body, _ := document["body"].(string)
	signature, _, err := didit.SignWebhook([]byte(body), stage.WebhookSecret)
	if err != nil || headers["x-signature"] != signature {
		return payload
	}
	body = signedTime.ReplaceAllString(body, `"timestamp":`+strconv.FormatInt(now.Unix(), 10))
	document["body"] = body
	headers["x-signature"], headers["x-signature-v2"], err = didit.SignWebhook([]byte(body), stage.WebhookSecret)
	signed, marshalErr := json.Marshal(document)
	if err != nil || marshalErr != nil {
		return payload
	}
	return signed
}

package stagetest

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"didit-sessions/internal/api/apitest"
	"didit-sessions/internal/lambdatest"
)

// maxChecked is the length of the longest accepted body that is held to openapi.yaml: the costly
// ones of some tests would take that too long.
const maxChecked = 100 << 10

// checkAnswer holds the answer to an event of API Gateway to openapi.yaml. An event without a
// route, or with that of another function, is not looked at.
func (w *World) checkAnswer(t *testing.T, payload []byte, r lambdatest.Result) {
	t.Helper()
	var event struct {
		RouteKey        string            `json:"routeKey"`
		PathParameters  map[string]string `json:"pathParameters"`
		Body            string            `json:"body"`
		IsBase64Encoded bool              `json:"isBase64Encoded"`
		RequestContext  struct {
			HTTP struct {
				Method string `json:"method"`
			} `json:"http"`
		} `json:"requestContext"`
	}
	if r.Failed() || json.Unmarshal(payload, &event) != nil || !serves(event.RouteKey) {
		return
	}
	method, target, _ := strings.Cut(event.RouteKey, " ")
	if method != event.RequestContext.HTTP.Method {
		return // API Gateway sends no such event
	}
	answer, err := r.HTTP()
	if err != nil {
		return // the test sees it
	}
	for name, value := range event.PathParameters {
		target = strings.ReplaceAll(target, "{"+name+"}", value)
	}
	body := []byte(event.Body)
	if event.IsBase64Encoded {
		body, _ = base64.StdEncoding.DecodeString(event.Body)
	}
	if w.extraFields || len(body) > maxChecked {
		body = nil
	}
	apitest.Check(t, apitest.Exchange{
		Method: method, Target: target, Request: body, Status: answer.Status, Header: answer.Header, Body: answer.Body})
}

// serves reports whether API Gateway invokes the function for that route.
func serves(routeKey string) bool {
	switch routeKey {
	case "POST /sessions":
		return function == "createsession"
	case "GET /sessions", "GET /sessions/{session_id}":
		return function == "getsession"
	case "POST /webhooks/didit":
		return function == "webhook"
	}
	return false
}

package lambdatest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// HTTPAnswer is what an API Gateway HTTP API would send for a function's
// answer.
type HTTPAnswer struct {
	Status int
	Header http.Header // canonical names; cookies are Set-Cookie values
	Body   []byte      // decoded when it came as base64
}

// HTTP reads the answer as API Gateway does (AWS API Gateway: Lambda proxy
// integration response, payload format 2.0). It fails when the function failed
// and when the answer names no status code: API Gateway would send such an
// answer with 200, which no function here means.
func (r Result) HTTP() (HTTPAnswer, error) {
	if r.failed {
		return HTTPAnswer{}, fmt.Errorf("function failed: %s: %s", r.ErrorType, r.ErrorMessage)
	}
	var document struct {
		StatusCode      int               `json:"statusCode"`
		Headers         map[string]string `json:"headers"`
		Cookies         []string          `json:"cookies"`
		Body            string            `json:"body"`
		IsBase64Encoded bool              `json:"isBase64Encoded"`
	}
	if err := json.Unmarshal(r.Payload, &document); err != nil {
		return HTTPAnswer{}, fmt.Errorf("not an HTTP answer: %w", err)
	}
	if document.StatusCode == 0 {
		return HTTPAnswer{}, errors.New("not an HTTP answer: no statusCode")
	}
	answer := HTTPAnswer{Status: document.StatusCode, Header: make(http.Header), Body: []byte(document.Body)}
	for name, value := range document.Headers {
		answer.Header.Set(name, value)
	}
	for _, cookie := range document.Cookies {
		answer.Header.Add("Set-Cookie", cookie)
	}
	if document.IsBase64Encoded {
		body, err := base64.StdEncoding.DecodeString(document.Body)
		if err != nil {
			return HTTPAnswer{}, fmt.Errorf("the answer's body is not base64: %w", err)
		}
		answer.Body = body
	}
	return answer, nil
}

package awsfake

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// HTTPAnswer is the answer that an API Gateway HTTP API would send.
type HTTPAnswer struct {
	Status int
	Header http.Header // canonical names; cookies are Set-Cookie values
	Body   []byte      // decoded if it was base64
}

// ReadHTTPAnswer decodes the answer of a function as API Gateway does (AWS API Gateway: Lambda
// proxy integration response, payload format 2.0). It returns an error if the answer has no status
// code: API Gateway would send that with 200, which no function of this module relies on.
func ReadHTTPAnswer(payload []byte) (HTTPAnswer, error) {
	var document struct {
		StatusCode      int               `json:"statusCode"`
		Headers         map[string]string `json:"headers"`
		Cookies         []string          `json:"cookies"`
		Body            string            `json:"body"`
		IsBase64Encoded bool              `json:"isBase64Encoded"`
	}
	if err := json.Unmarshal(payload, &document); err != nil {
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

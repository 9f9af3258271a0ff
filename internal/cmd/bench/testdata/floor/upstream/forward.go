package upstream

import (
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/aws/aws-lambda-go/events"
)

// Forward sends the body of the event to SESSION_URL with API_KEY, both of the environment, and
// answers with what comes back. It is safe for concurrent use.
func Forward(ctx context.Context, event events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	var answer events.APIGatewayV2HTTPResponse
	body := event.Body
	if event.IsBase64Encoded {
		decoded, err := base64.StdEncoding.DecodeString(body)
		if err != nil {
			return answer, err
		}
		body = string(decoded)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, os.Getenv("SESSION_URL"), strings.NewReader(body))
	if err != nil {
		return answer, err
	}
	request.Header.Set("X-Api-Key", os.Getenv("API_KEY"))
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return answer, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return answer, err
	}
	answer.StatusCode = response.StatusCode
	answer.Headers = map[string]string{"Content-Type": "application/json"}
	answer.Body = string(text)
	return answer, nil
}

// Command webhook is the floor of webhook: it has the secret already, checks the HMAC of the raw
// body, reads the session's row and puts one event on the bus.
package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"didit-sessions/internal/cmd/bench/testdata/floor/upstream"
)

func main() { lambda.Start(receive) }

func receive(ctx context.Context, event events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	var answer events.APIGatewayV2HTTPResponse
	mac := hmac.New(sha256.New, []byte(os.Getenv("WEBHOOK_SECRET")))
	mac.Write([]byte(event.Body))
	if hex.EncodeToString(mac.Sum(nil)) != event.Headers["x-signature"] {
		answer.StatusCode = http.StatusUnauthorized
		return answer, nil
	}
	var delivery struct {
		SessionID string `json:"session_id"`
		EventID   string `json:"event_id"`
		Status    string `json:"status"`
	}
	if err := json.Unmarshal([]byte(event.Body), &delivery); err != nil {
		return answer, err
	}
	if _, err := upstream.GetItem(ctx, os.Getenv("TABLE_URL"), os.Getenv("TABLE_NAME"), delivery.SessionID); err != nil {
		return answer, err
	}
	detail, err := json.Marshal(delivery)
	if err != nil {
		return answer, err
	}
	put := upstream.Operation{URL: os.Getenv("BUS_URL"), Service: "events", Target: "AWSEvents.PutEvents", Version: "1.1"}
	if _, err := put.Post(ctx, fmt.Sprintf(`{"Entries":[{"EventBusName":%q,"Source":"floor","DetailType":"Status","Detail":%q}]}`,
		os.Getenv("EVENT_BUS_NAME"), detail)); err != nil {
		return answer, err
	}
	answer.StatusCode = http.StatusOK
	answer.Headers = map[string]string{"Content-Type": "application/json"}
	answer.Body = "{}"
	return answer, nil
}

// Command getsession is the floor of getsession: it does not identify the caller, reads the
// session's row and answers with it as it is.
package main

import (
	"context"
	"net/http"
	"os"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"didit-sessions/internal/cmd/bench/testdata/floor/upstream"
)

func main() { lambda.Start(show) }

func show(ctx context.Context, event events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	row, err := upstream.GetItem(ctx, os.Getenv("TABLE_URL"), os.Getenv("TABLE_NAME"), event.PathParameters["session_id"])
	if err != nil {
		return events.APIGatewayV2HTTPResponse{}, err
	}
	return events.APIGatewayV2HTTPResponse{
		StatusCode: http.StatusOK, Headers: map[string]string{"Content-Type": "application/json"}, Body: string(row),
	}, nil
}

// Command createsession-user is the floor of createsession for signed-in users: it queries the
// user's latest sessions first, makes nothing of them, and otherwise does what the floor
// createsession does.
package main

import (
	"context"
	"os"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"didit-sessions/internal/cmd/bench/testdata/floor/upstream"
)

func main() { lambda.Start(lookAndForward) }

func lookAndForward(ctx context.Context, event events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	user := event.RequestContext.Authorizer.JWT.Claims["sub"]
	if _, err := upstream.Latest(ctx, os.Getenv("TABLE_URL"), os.Getenv("TABLE_NAME"), user); err != nil {
		return events.APIGatewayV2HTTPResponse{}, err
	}
	return upstream.Forward(ctx, event)
}

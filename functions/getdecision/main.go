// Getdecision is the Lambda function that gives trusted callers Didit's decision for a session. The
// decision is personal data: the function is deployed on request only, and stores and logs nothing
// of it.
package main

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"

	"didit-sessions/internal/api"
	"didit-sessions/internal/aws/secret"
	"didit-sessions/internal/config"
	"didit-sessions/internal/didit"
	"didit-sessions/internal/lambdahttp"
	"didit-sessions/internal/start"
	"didit-sessions/internal/verification"
)

// tokens keeps the access token across warm invocations.
var tokens didit.TokenCache

func main() { start.Function(config.LoadGetDecision, newHandler) }

func newHandler(_ context.Context, sdk aws.Config, settings config.GetDecision) *lambdahttp.Handler {
	client := start.DiditClient(settings.Didit, &tokens, secret.New(sdk, settings.Didit.SecretID).Read)
	return &lambdahttp.Handler{Direct: api.GetDecision(verification.DecisionReader{Didit: client}).Invoke}
}

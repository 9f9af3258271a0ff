// Getdecision is the Lambda function that gives trusted callers Didit's decision for a session. What it
// returns is personal data: it is deployed on request only, and keeps and logs nothing of it.
package main

import (
	"context"
	"encoding/json"

	"didit-sessions/internal/api"
	"didit-sessions/internal/config"
	"didit-sessions/internal/connect"
	"didit-sessions/internal/didit"
	"didit-sessions/internal/lambdahttp"
	"didit-sessions/internal/start"
	"didit-sessions/internal/verification"
)

// These survive warm invocations: the access token, and the secret that buys it.
var (
	tokens      didit.TokenCache
	credentials didit.CredentialCache
)

func main() { start.Function(newHandler) }

func newHandler(ctx context.Context, getenv func(string) string) (*lambdahttp.Handler, error) {
	settings, err := config.LoadGetDecision(getenv)
	if err != nil {
		return nil, err
	}
	aws, err := start.AWS(ctx)
	if err != nil {
		return nil, err
	}
	client := connect.Didit(aws, settings.Didit, &tokens, &credentials)
	return &lambdahttp.Handler{Direct: api.GetDecision(func(ctx context.Context, sessionID string) (json.RawMessage, error) {
		return verification.ReadDecision(ctx, client, sessionID)
	}).Serve}, nil
}

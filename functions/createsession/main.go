// Createsession is the Lambda function behind POST /sessions; workflows invoke it directly.
package main

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"

	"didit-sessions/internal/api"
	"didit-sessions/internal/aws/secret"
	"didit-sessions/internal/aws/table"
	"didit-sessions/internal/config"
	"didit-sessions/internal/didit"
	"didit-sessions/internal/lambdahttp"
	"didit-sessions/internal/start"
	"didit-sessions/internal/verification"
)

// tokens keeps the access token across warm invocations.
var tokens didit.TokenCache

func main() { start.Function(config.LoadCreateSession, newHandler) }

func newHandler(ctx context.Context, sdk aws.Config, settings config.CreateSession) *lambdahttp.Handler {
	client := start.DiditClient(settings.Didit, &tokens, secret.New(sdk, settings.Didit.SecretID).Read)
	sessions := &verification.Creator{
		Policy: settings.Policy, Didit: client,
		Retention: settings.Table.Retention, ReconcileAfter: settings.Table.ReconcileAfter,
		LogRecovered: api.LogRecovered(nil),
	}
	if settings.Table.Name != "" {
		records := table.New(sdk, settings.Table.Name)
		sessions.Store = records
		client.Shared = start.SharedToken(settings.Didit, records)
	}
	// The read of the shared token opens the connection to the table.
	start.Warm(ctx, client.Warm)
	create := &api.CreateSession{Sessions: sessions, Callers: start.Callers(settings.Callers), MaxRaw: settings.Policy.MaxRaw}
	return &lambdahttp.Handler{HTTP: create, Direct: create.Invoke}
}

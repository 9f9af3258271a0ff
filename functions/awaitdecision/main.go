// Awaitdecision is the Lambda function that workflows invoke with .waitForTaskToken: it stores the
// token of a task that waits on a session.
package main

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"

	"didit-sessions/internal/api"
	"didit-sessions/internal/aws/bus"
	"didit-sessions/internal/aws/secret"
	"didit-sessions/internal/aws/table"
	"didit-sessions/internal/aws/tasks"
	"didit-sessions/internal/config"
	"didit-sessions/internal/didit"
	"didit-sessions/internal/lambdahttp"
	"didit-sessions/internal/start"
	"didit-sessions/internal/verification"
)

// tokens keeps the access token across warm invocations.
var tokens didit.TokenCache

func main() { start.Function(config.LoadAwaitDecision, newHandler) }

func newHandler(_ context.Context, sdk aws.Config, settings config.AwaitDecision) *lambdahttp.Handler {
	client, records := start.DiditClient(settings.Didit, &tokens, secret.New(sdk, settings.Didit.SecretID).Read), table.New(sdk, settings.Table.Name)
	client.Shared = start.SharedToken(settings.Didit, records)
	tracker := &verification.Tracker{
		Store:          records,
		Bus:            bus.New(sdk, settings.BusName),
		Tasks:          tasks.New(sdk),
		Didit:          client,
		Retention:      settings.Table.Retention,
		ReconcileAfter: settings.Table.ReconcileAfter,
		LogRecovered:   api.LogRecovered(nil),
	}
	return &lambdahttp.Handler{Direct: api.AwaitDecision(tracker).Invoke}
}

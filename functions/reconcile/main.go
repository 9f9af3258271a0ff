// Reconcile is the Lambda function that a schedule invokes: it asks Didit about sessions that
// stayed unfinished for too long.
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

func main() { start.Function(config.LoadReconcile, newHandler) }

func newHandler(_ context.Context, sdk aws.Config, settings config.Reconcile) *lambdahttp.Handler {
	client, records := start.DiditClient(settings.Didit, &tokens, secret.New(sdk, settings.Didit.SecretID).Read), table.New(sdk, settings.Table.Name)
	client.Shared = start.SharedToken(settings.Didit, records)
	tracker := &verification.Tracker{
		Store:          records,
		Bus:            bus.New(sdk, settings.BusName),
		Tasks:          tasks.New(sdk),
		Didit:          client,
		Retention:      settings.Table.Retention,
		ReconcileAfter: settings.Table.ReconcileAfter,
		ReadsPerMinute: settings.ReadsPerMinute,
		LogRecovered:   api.LogRecovered(nil),
	}
	return &lambdahttp.Handler{Direct: api.Reconcile(tracker).Invoke}
}

// Getsession is the Lambda function behind GET /sessions/{session_id} and GET /sessions.
package main

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"

	"didit-sessions/internal/api"
	"didit-sessions/internal/aws/bus"
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

func main() { start.Function(config.LoadGetSession, newHandler) }

func newHandler(ctx context.Context, sdk aws.Config, settings config.GetSession) *lambdahttp.Handler {
	client, records := start.DiditClient(settings.Didit, &tokens, secret.New(sdk, settings.Didit.SecretID).Read), table.New(sdk, settings.Table.Name)
	client.Shared = start.SharedToken(settings.Didit, records)
	// Tasks are left to trackstatus, which gets the event that is published for a changed status.
	tracker := &verification.Tracker{
		Store:          records,
		Bus:            bus.New(sdk, settings.BusName),
		Didit:          client,
		Retention:      settings.Table.Retention,
		ReconcileAfter: settings.Table.ReconcileAfter,
		ReadsPerMinute: settings.ReadsPerMinute,
		LogRecovered:   api.LogRecovered(nil),
	}
	start.Warm(ctx, client.Preload)
	return &lambdahttp.Handler{HTTP: &api.GetSession{Records: tracker, Callers: start.Callers(settings.Callers)}}
}

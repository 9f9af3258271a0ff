// Webhook is the Lambda function behind POST /webhooks/didit.
package main

import (
	"context"
	"os"
	"runtime"

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

func main() { start.Function(config.LoadWebhook, newHandler) }

func newHandler(ctx context.Context, sdk aws.Config, settings config.Webhook) *lambdahttp.Handler {
	source := secret.New(sdk, settings.SecretID)
	secrets := &didit.WebhookSecretCache{Read: func(ctx context.Context) (didit.WebhookSecrets, error) {
		versions, err := source.ReadVersions(ctx)
		if err != nil {
			return didit.WebhookSecrets{}, err
		}
		return start.WebhookSecrets(versions.Current, versions.Previous, versions.RotatedAt)
	}}
	records, events := table.New(sdk, settings.TableName), bus.New(sdk, settings.BusName)
	start.Warm(ctx, func(ctx context.Context) { _, _ = secrets.Secrets(ctx) }, records.Warm, events.Warm)
	useOneProcessor()
	return &lambdahttp.Handler{MaxBody: didit.MaxWebhookBytes, HTTP: &api.Webhook{
		Verifier:       &didit.Verifier{Secrets: secrets, Tolerance: settings.Tolerance},
		Events:         &verification.Tracker{Store: records, Bus: events},
		RequestContext: start.RequestContext,
	}}
}

// useOneProcessor keeps the garbage collector off a second processor, which it uses up while it
// waits: for a payload of 5 MiB that is several times the rest. One delivery is answered at a time,
// step by step, and Lambda gives a share of one processor below 1,769 MB (AWS Lambda: memory).
// GOMAXPROCS has precedence.
func useOneProcessor() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(1)
	}
}

// Webhook is the Lambda function behind POST /webhooks/didit.
package main

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"didit-sessions/internal/api"
	"didit-sessions/internal/awsevents"
	"didit-sessions/internal/awssecret"
	"didit-sessions/internal/awsstore"
	"didit-sessions/internal/config"
	"didit-sessions/internal/didit"
	"didit-sessions/internal/lambdahttp"
	"didit-sessions/internal/start"
	"didit-sessions/internal/verification"
)

// secrets survives warm invocations.
var secrets didit.WebhookSecretCache

func main() { start.Function(newHandler) }

func newHandler(ctx context.Context, getenv func(string) string) (*lambdahttp.Handler, error) {
	settings, err := config.LoadWebhook(getenv)
	if err != nil {
		return nil, err
	}
	aws, err := start.AWS(ctx)
	if err != nil {
		return nil, err
	}
	secrets.Read = readSecrets(&awssecret.Secret{Client: secretsmanager.NewFromConfig(aws), ID: settings.SecretID})
	tracker := &verification.Tracker{
		Store: &awsstore.Table{Client: dynamodb.NewFromConfig(aws), Name: settings.Table.Name, Retention: settings.Table.Retention},
		Bus:   &awsevents.Bus{Client: eventbridge.NewFromConfig(aws), Name: settings.BusName},
	}
	return &lambdahttp.Handler{HTTP: &api.Webhook{
		Verifier: &didit.Verifier{Secrets: &secrets, Tolerance: settings.Tolerance},
		Events:   tracker,
		Identify: start.Identify,
	}}, nil
}

// overlap is how long the previous webhook secret is good for after a rotation.
const overlap = 24 * time.Hour

// readSecrets joins the versions of a secret to what they mean.
func readSecrets(secret *awssecret.Secret) func(context.Context) (didit.WebhookSecrets, error) {
	return func(ctx context.Context) (didit.WebhookSecrets, error) {
		versions, err := secret.ReadVersions(ctx)
		if err != nil {
			return didit.WebhookSecrets{}, err
		}
		current, err := didit.ParseWebhookSecret(versions.Current)
		if err != nil {
			return didit.WebhookSecrets{}, awssecret.Invalid(err)
		}
		s := didit.WebhookSecrets{Current: current, PreviousUntil: versions.RotatedAt.Add(overlap)}
		// What was wrong with the secret before the last rotation is nobody's trouble any more.
		s.Previous, _ = didit.ParseWebhookSecret(versions.Previous)
		return s, nil
	}
}

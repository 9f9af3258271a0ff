// Createsession is the Lambda function behind POST /sessions; workflows invoke it directly.
package main

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"didit-sessions/internal/api"
	"didit-sessions/internal/awsstore"
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
	settings, err := config.LoadCreateSession(getenv)
	if err != nil {
		return nil, err
	}
	aws, err := start.AWS(ctx)
	if err != nil {
		return nil, err
	}
	client := connect.Didit(aws, settings.Didit, &tokens, &credentials)
	sessions := &verification.Service{Policy: settings.Policy, Didit: client}
	prepare := []func(context.Context){client.Warm}
	if table := settings.Table; table.Name != "" {
		records := &awsstore.Table{Client: dynamodb.NewFromConfig(aws), Name: table.Name, Retention: table.Retention}
		sessions.Store = records
		prepare = append(prepare, records.Warm)
	}
	start.Warm(ctx, prepare...)
	create := &api.CreateSession{Sessions: sessions, Callers: api.Callers{
		Identify: start.Identify, TrustIAM: settings.Callers.CallerAuth == "iam", PrincipalClaim: settings.Callers.PrincipalClaim}}
	return &lambdahttp.Handler{HTTP: create, Direct: create.Direct}, nil
}

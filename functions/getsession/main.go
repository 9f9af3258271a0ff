// Getsession is the Lambda function behind GET /sessions/{session_id} and GET /sessions.
package main

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"

	"didit-sessions/internal/api"
	"didit-sessions/internal/awsevents"
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
	settings, err := config.LoadGetSession(getenv)
	if err != nil {
		return nil, err
	}
	aws, err := start.AWS(ctx)
	if err != nil {
		return nil, err
	}
	// Tasks are left to trackstatus, which gets the event that is published for a changed status.
	tracker := &verification.Tracker{
		Store:   &awsstore.Table{Client: dynamodb.NewFromConfig(aws), Name: settings.Table.Name, Retention: settings.Table.Retention},
		Bus:     &awsevents.Bus{Client: eventbridge.NewFromConfig(aws), Name: settings.BusName},
		Didit:   connect.Didit(aws, settings.Didit, &tokens, &credentials),
		Trouble: api.Trouble(nil),
	}
	return &lambdahttp.Handler{HTTP: &api.GetSession{Records: tracker, Callers: api.Callers{
		Identify: start.Identify, TrustIAM: settings.Callers.CallerAuth == "iam", PrincipalClaim: settings.Callers.PrincipalClaim}}}, nil
}

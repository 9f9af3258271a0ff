// Createsession is the Lambda function behind POST /sessions; workflows invoke it directly.
package main

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"didit-sessions/internal/api"
	"didit-sessions/internal/awssecret"
	"didit-sessions/internal/config"
	"didit-sessions/internal/didit"
	"didit-sessions/internal/lambdahttp"
	"didit-sessions/internal/verification"
)

// These survive warm invocations: the access token, and the secret that buys it.
var (
	tokens      didit.TokenCache
	credentials didit.CredentialCache
)

func main() {
	slog.SetDefault(lambdacontext.NewLogger())
	handler, err := newHandler(context.Background(), os.Getenv)
	if err != nil {
		slog.Error("wrong configuration", "error", err.Error())
		os.Exit(1)
	}
	lambda.Start(handler)
}

func newHandler(ctx context.Context, getenv func(string) string) (*lambdahttp.Handler, error) {
	settings, err := config.LoadCreateSession(getenv)
	if err != nil {
		return nil, err
	}
	aws, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, err
	}
	secret := &awssecret.Secret{Client: secretsmanager.NewFromConfig(aws), ID: settings.SecretID}
	credentials.Invalid = awssecret.Invalid
	credentials.Read = func(ctx context.Context) (string, error) {
		start := time.Now()
		text, err := secret.Read(ctx)
		api.Observe(ctx, api.Upstream{Op: "secret", Duration: time.Since(start)})
		return text, err
	}
	sessions := &verification.Service{Policy: settings.Policy, Didit: &didit.Client{
		Credentials: &credentials, Tokens: &tokens,
		AuthURL: settings.AuthURL, APIURL: settings.APIURL, Version: didit.Version(settings.APIVersion),
		Observe: func(ctx context.Context, a didit.Attempt) {
			api.Observe(ctx, api.Upstream{Op: a.Op, Status: a.Status, Duration: a.Duration})
		},
	}}
	create := &api.CreateSession{
		Sessions: sessions, Identify: identify, TrustIAM: settings.CallerAuth == "iam", PrincipalClaim: settings.PrincipalClaim,
	}
	return &lambdahttp.Handler{HTTP: create, Direct: create.Direct}, nil
}

func identify(r *http.Request) api.Identity { return api.Identity(lambdahttp.ProofOf(r.Context())) }

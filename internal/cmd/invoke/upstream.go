package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"didit-sessions/internal/awsstore"
	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/lambdatest"
	"didit-sessions/internal/verification"
)

const (
	secretID        = "local/didit"
	webhookSecretID = "local/webhook"
	// webhookSecret is what the deliveries in events/ are signed with.
	webhookSecret = "didit-webhook-secret-for-local-use-only-0000"
	tableName     = "sessions"
	workflowID    = "11111111-2222-3333-4444-555555555555"
)

// upstream is what a function talks to.
type upstream struct {
	didit   didittest.Server
	secrets lambdatest.SecretsManager
	table   lambdatest.DynamoDB
	bus     lambdatest.EventBridge
	tasks   lambdatest.StepFunctions
	started []func()
	filled  int // calls that made and filled the table
}

func startUpstream(ctx context.Context, apiKey bool, event event) (*upstream, error) {
	u := new(upstream)
	credentials := map[string]string{"client_id": didittest.DefaultClientID, "client_secret": didittest.DefaultClientSecret}
	if apiKey {
		credentials = map[string]string{"api_key": didittest.DefaultAPIKey}
	}
	text, err := json.Marshal(credentials)
	if err != nil {
		return nil, err
	}
	u.secrets.Set(secretID, string(text))
	u.secrets.Set(webhookSecretID, `{"webhook_secret":"`+webhookSecret+`"}`)
	for _, service := range []interface {
		Start() error
		Close()
	}{&u.didit, &u.secrets, &u.table, &u.bus, &u.tasks} {
		if err := service.Start(); err != nil {
			u.close()
			return nil, fmt.Errorf("start what the function talks to: %w", err)
		}
		u.started = append(u.started, service.Close)
	}
	if err := u.fill(ctx, event); err != nil {
		u.close()
		return nil, err
	}
	return u, nil
}

// fill makes the table, with a record of the session that the event is about, and opens the task
// that it brings.
func (u *upstream) fill(ctx context.Context, event event) error {
	client := dynamodb.New(dynamodb.Options{Region: lambdatest.Region, BaseEndpoint: aws.String(u.table.URL()),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
		})})
	if _, err := client.CreateTable(ctx, awsstore.Schema(tableName)); err != nil {
		return fmt.Errorf("create the table: %w", err)
	}
	defer func() { u.filled = u.table.Calls("") }()
	if event.taskToken != "" {
		u.tasks.Open(event.taskToken)
	}
	if event.sessionID == "" {
		return nil
	}
	table := &awsstore.Table{Client: client, Name: tableName}
	record := verification.NewRecord(event.sessionID, event.principal, workflowID, verification.StatusNotStarted, time.Now())
	if err := table.Add(ctx, record); err != nil {
		return fmt.Errorf("put the session on record: %w", err)
	}
	return nil
}

func (u *upstream) close() {
	for _, stop := range u.started {
		stop()
	}
}

// environment is a configuration that suits the event, with own on top.
func (u *upstream) environment(event event, own map[string]string) map[string]string {
	env := map[string]string{
		"AWS_ENDPOINT_URL_SECRETS_MANAGER": u.secrets.URL(),
		"AWS_ENDPOINT_URL_DYNAMODB":        u.table.URL(),
		"AWS_ENDPOINT_URL_EVENTBRIDGE":     u.bus.URL(),
		"AWS_ENDPOINT_URL_SFN":             u.tasks.URL(),
		"DIDIT_SECRET_ID":                  secretID,
		"DIDIT_WEBHOOK_SECRET_ID":          webhookSecretID,
		"DIDIT_AUTH_URL":                   u.didit.URL(),
		"DIDIT_API_URL":                    u.didit.URL(),
		"WORKFLOW_IDS":                     workflowID,
		"ALLOWED_CALLBACKS":                "https://example.com/verification,myapp://",
		"CALLER_AUTH":                      "jwt",
		"TABLE_NAME":                       tableName,
		"EVENT_BUS_NAME":                   "sessions",
	}
	if event.iam {
		env["CALLER_AUTH"] = "iam"
	}
	maps.Copy(env, own)
	return env
}

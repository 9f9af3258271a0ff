// Package stage runs on loopback everything that a function of this module talks to: the Didit
// simulator, a table, the secrets, an event bus and waiting tasks. Programs use it as it is; tests
// use it by package stagetest.
//
//	s, err := stage.New()
//	err = s.Start()
//	defer s.Close()
//	fn, err := lambdatest.Start(ctx, lambdatest.Options{Binary: binary, Env: s.Environment()})
package stage

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"didit-sessions/internal/aws/table"
	"didit-sessions/internal/awsfake"
	fakedynamodb "didit-sessions/internal/awsfake/dynamodb"
	"didit-sessions/internal/didit/didittest"
)

// What functions find in their environment.
const (
	SecretID        = "didit"
	WebhookSecretID = "didit-webhook"
	// WebhookSecret is what the recorded deliveries in events/ are signed with.
	WebhookSecret = "didit-webhook-secret-for-local-use-only-0000"
	Workflow      = "11111111-2222-3333-4444-555555555555"
	TableName     = "sessions"
	BusName       = "sessions-bus"
)

// Texts of the secret [SecretID]; the first one is there from the start.
const (
	PairSecret = `{"client_id":"` + didittest.DefaultClientID + `","client_secret":"` + didittest.DefaultClientSecret + `"}`
	KeySecret  = `{"api_key":"` + didittest.DefaultAPIKey + `"}`
)

// Stage is everything that a function talks to. It is safe for concurrent use.
type Stage struct {
	Didit   *didittest.Server
	Secrets *awsfake.SecretsManager
	Table   *fakedynamodb.Server
	Bus     *awsfake.EventBridge
	Tasks   *awsfake.StepFunctions
	// Store is the caller's own access to the table, after Start. Table counts its requests as it
	// counts the function's.
	Store *table.Table
}

// New returns a stage with both secrets and an empty table, which does not listen yet. The services
// are HTTP handlers, so a caller may serve them in its own way instead of calling Start.
func New() (*Stage, error) {
	s := &Stage{
		Didit: new(didittest.Server), Secrets: new(awsfake.SecretsManager), Table: new(fakedynamodb.Server),
		Bus: new(awsfake.EventBridge), Tasks: new(awsfake.StepFunctions),
	}
	s.Secrets.Set(SecretID, PairSecret)
	s.Secrets.Set(WebhookSecretID, `{"webhook_secret":"`+WebhookSecret+`"}`)
	schema, err := json.Marshal(table.Schema(TableName))
	if err == nil {
		err = s.Table.CreateTable(schema)
	}
	if err != nil {
		return nil, fmt.Errorf("create the table: %w", err)
	}
	return s, nil
}

// Start serves everything on free ports of 127.0.0.1 until Close. It may be called once; if it
// fails, nothing is left to close.
func (s *Stage) Start() error {
	for _, service := range []interface{ Start() error }{s.Didit, s.Secrets, s.Table, s.Bus, s.Tasks} {
		if err := service.Start(); err != nil {
			s.Close()
			return fmt.Errorf("start the services: %w", err)
		}
	}
	s.Store = NewStore(s.Table.URL(), nil)
	return nil
}

// Close ends what Start began.
func (s *Stage) Close() {
	for _, service := range []interface{ Close() }{s.Didit, s.Secrets, s.Table, s.Bus, s.Tasks} {
		service.Close()
	}
}

// Endpoints are the URLs of what a function talks to.
type Endpoints struct{ DiditAuth, DiditAPI, Secrets, Table, Bus, Tasks string }

// Environment returns the variables that make any function of this module use the stage, after
// Start.
func (s *Stage) Environment() map[string]string {
	return Endpoints{s.Didit.URL(), s.Didit.URL(), s.Secrets.URL(), s.Table.URL(), s.Bus.URL(), s.Tasks.URL()}.Environment()
}

// Environment returns the variables that make any function of this module use the endpoints.
func (e Endpoints) Environment() map[string]string {
	return map[string]string{
		"AWS_ENDPOINT_URL_SECRETS_MANAGER": e.Secrets,
		"AWS_ENDPOINT_URL_DYNAMODB":        e.Table,
		"AWS_ENDPOINT_URL_EVENTBRIDGE":     e.Bus,
		"AWS_ENDPOINT_URL_SFN":             e.Tasks,
		"DIDIT_SECRET_ID":                  SecretID,
		"DIDIT_WEBHOOK_SECRET_ID":          WebhookSecretID,
		"DIDIT_AUTH_URL":                   e.DiditAuth,
		"DIDIT_API_URL":                    e.DiditAPI,
		"WORKFLOW_IDS":                     Workflow,
		"ALLOWED_CALLBACKS":                "https://app.example.com/verified,myapp://",
		"TABLE_NAME":                       TableName,
		"EVENT_BUS_NAME":                   BusName,
	}
}

// NewStore returns access to the table at the URL, over the client; nil means the SDK's own. An
// operation may take a minute, so that a busy machine does not fail it.
func NewStore(url string, client aws.HTTPClient) *table.Table {
	return &table.Table{Name: TableName, Limit: time.Minute, Client: dynamodb.NewFromConfig(aws.Config{
		Region: awsfake.Region, BaseEndpoint: aws.String(url), HTTPClient: client,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "not-a-real-key"}, nil
		}),
	})}
}

package functiontest

import (
	"cmp"
	"context"
	"maps"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"didit-sessions/internal/awsstore"
	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/lambdatest"
)

// What the function finds in its environment.
const (
	SecretID        = "didit"
	WebhookSecretID = "didit-webhook"
	// WebhookSecret is the one with which the recorded deliveries in events/ are signed.
	WebhookSecret = "didit-webhook-secret-for-local-use-only-0000"
	Workflow      = "11111111-2222-3333-4444-555555555555"
	BusName       = "sessions-bus"

	tableName = "sessions"
)

// PairSecret is the secret by which the function gets bearer tokens from the simulator.
const PairSecret = `{"client_id":"` + didittest.DefaultClientID + `","client_secret":"` + didittest.DefaultClientSecret + `"}`

// Options say how a function is started. The zero value is a function in good health.
type Options struct {
	Env            map[string]string // beside what the world sets, and stronger
	Timeout        time.Duration     // of the function; 0: lambdatest's
	Grace          time.Duration     // that the process gets after it
	MaxConcurrency int               // invocations at once; 0: one
	Binary         string            // instead of the function as it ships
}

// World is a function with everything around it.
type World struct {
	*lambdatest.Function
	Didit   *didittest.Server
	Secrets *lambdatest.SecretsManager
	Table   *lambdatest.DynamoDB
	Bus     *lambdatest.EventBridge
	Tasks   *lambdatest.StepFunctions
	// Store is the test's own way into the table. What it does is counted by Table like what the
	// function does.
	Store *awsstore.Table
}

// New starts the function and everything around it, for the time of the test.
func New(t *testing.T, options Options) *World {
	t.Helper()
	w := &World{
		Didit: new(didittest.Server), Secrets: new(lambdatest.SecretsManager), Table: new(lambdatest.DynamoDB),
		Bus: new(lambdatest.EventBridge), Tasks: new(lambdatest.StepFunctions),
	}
	for _, service := range []interface {
		Start() error
		Close()
	}{w.Didit, w.Secrets, w.Table, w.Bus, w.Tasks} {
		if err := service.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(service.Close)
	}
	w.Secrets.Set(SecretID, PairSecret)
	w.Secrets.Set(WebhookSecretID, `{"webhook_secret":"`+WebhookSecret+`"}`)
	w.createTable(t)
	w.start(t, options)
	return w
}

func (w *World) createTable(t *testing.T) {
	t.Helper()
	w.Store = &awsstore.Table{Name: tableName, Client: dynamodb.NewFromConfig(aws.Config{
		Region: lambdatest.Region, BaseEndpoint: aws.String(w.Table.URL()),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "not-a-real-key"}, nil
		}),
	})}
	if _, err := w.Store.Client.CreateTable(t.Context(), awsstore.Schema(tableName)); err != nil {
		t.Fatal(err)
	}
}

func (w *World) start(t *testing.T, options Options) {
	t.Helper()
	env := map[string]string{
		"DIDIT_SECRET_ID": SecretID, "DIDIT_AUTH_URL": w.Didit.URL(), "DIDIT_API_URL": w.Didit.URL(),
		"DIDIT_WEBHOOK_SECRET_ID": WebhookSecretID, "WORKFLOW_IDS": Workflow, "TABLE_NAME": tableName, "EVENT_BUS_NAME": BusName,
		"AWS_ENDPOINT_URL_SECRETS_MANAGER": w.Secrets.URL(), "AWS_ENDPOINT_URL_DYNAMODB": w.Table.URL(),
		"AWS_ENDPOINT_URL_EVENTBRIDGE": w.Bus.URL(), "AWS_ENDPOINT_URL_SFN": w.Tasks.URL(),
	}
	maps.Copy(env, options.Env)
	var err error
	w.Function, err = lambdatest.Start(t.Context(), lambdatest.Options{
		Binary: cmp.Or(options.Binary, Binary(t)), Name: function, Env: env, Timeout: options.Timeout, Grace: options.Grace, MaxConcurrency: options.MaxConcurrency})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Stop() })
}

// OneAttempt makes the AWS SDK repeat nothing, so that a service that is down is known to be at once.
var OneAttempt = map[string]string{"AWS_MAX_ATTEMPTS": "1"}

// Call invokes the function, and ends the test where it gives no answer at all.
func (w *World) Call(t *testing.T, payload []byte) lambdatest.Result {
	t.Helper()
	r, err := w.Invoke(t.Context(), payload)
	if err != nil {
		t.Fatalf("%v\n%s", err, w.Logs())
	}
	return r
}

// HTTP is Call for a payload of API Gateway's.
func (w *World) HTTP(t *testing.T, payload []byte) lambdatest.HTTPAnswer {
	t.Helper()
	a, err := w.Call(t, payload).HTTP()
	if err != nil {
		t.Fatalf("%v\n%s", err, w.Logs())
	}
	return a
}

// Writes is how many writes have reached the table, refused ones included.
func (w *World) Writes() int {
	return w.Table.Calls("UpdateItem") + w.Table.Calls("PutItem") + w.Table.Calls("DeleteItem")
}

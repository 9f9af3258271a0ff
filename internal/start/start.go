// Package start is how every function begins: its log, its AWS configuration, its loop. It refuses to
// know what a function does.
package start

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/middleware"

	"didit-sessions/internal/api"
	"didit-sessions/internal/lambdahttp"
)

// Function runs a Lambda function and does not return. newHandler reads the configuration through
// getenv; its error ends the process, and so the init phase, with one line in the log.
func Function(newHandler func(ctx context.Context, getenv func(string) string) (*lambdahttp.Handler, error)) {
	slog.SetDefault(lambdacontext.NewLogger())
	handler, err := newHandler(context.Background(), os.Getenv)
	if err != nil {
		slog.Error("wrong configuration", "error", err.Error())
		os.Exit(1)
	}
	lambda.Start(handler)
}

// AWS is the configuration of the AWS clients, from the SDK's own variables. Clients made of it open new
// connections after a freeze, try again soon, and note the time of each operation for the log line of
// the call.
func AWS(ctx context.Context) (aws.Config, error) {
	c, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return c, err
	}
	switch base := c.HTTPClient.(type) {
	case nil:
		c.HTTPClient = newClient(awshttp.NewBuildableClient())
	case *awshttp.BuildableClient: // with AWS_CA_BUNDLE
		c.HTTPClient = newClient(base)
	}
	if c.RetryMode != aws.RetryModeAdaptive {
		c.Retryer = patient
	}
	c.APIOptions = append(c.APIOptions, func(s *middleware.Stack) error {
		return s.Initialize.Add(middleware.InitializeMiddlewareFunc("observe", observe), middleware.After)
	})
	return c, nil
}

// services are the names that the log gives to AWS services.
var services = map[string]string{"Secrets Manager": "secret", "DynamoDB": "table", "EventBridge": "bus", "SFN": "tasks"}

func observe(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
	begin := time.Now()
	out, metadata, err := next.HandleInitialize(ctx, in)
	api.Observe(ctx, api.Upstream{Op: services[awsmiddleware.GetServiceID(ctx)], Duration: time.Since(begin)})
	return out, metadata, err
}

// warmLimit is how long the init phase waits for others. Lambda gives it 10 s (AWS Lambda: execution
// environment, init phase); a request that follows at once would wait as well.
const warmLimit = 2 * time.Second

// Warm runs what prepares the first invocation, side by side, and returns when all of it has ended or is
// cancelled: a process is frozen between the init phase and its first invocation, and what goes on then
// would be cut in two.
func Warm(ctx context.Context, prepare ...func(context.Context)) {
	ctx, cancel := context.WithTimeout(ctx, warmLimit)
	defer cancel()
	var work sync.WaitGroup
	for _, p := range prepare {
		work.Go(func() { p(ctx) })
	}
	work.Wait()
}

// Identify is what the gateway proved of the caller of a request.
func Identify(r *http.Request) api.Identity { return api.Identity(lambdahttp.ProofOf(r.Context())) }

// Package start is what all functions have in common when they start: the log, the configuration,
// the AWS SDK, and the loop. It contains no business logic.
package start

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"log/slog"
	"math"
	"net/http"
	"os"
	"runtime/debug"
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
	"didit-sessions/internal/config"
	"didit-sessions/internal/lambdahttp"
)

// Function runs a Lambda function and does not return. load reads the function's configuration from
// the environment, and newHandler builds the handler from it. An error of load, or of the AWS SDK's
// own configuration, ends the process, and with it the init phase, with one line in the log.
func Function[T any](
	load func(getenv func(string) string) (T, error),
	newHandler func(context.Context, aws.Config, T) *lambdahttp.Handler,
) {
	// Otherwise the first handshakes wait for it.
	go func() { _, _ = x509.SystemCertPool() }()
	setLog(lambdacontext.NewLogger())
	ctx := context.Background()
	settings, err := load(os.Getenv)
	namespace, wrongName := config.LoadNamespace(os.Getenv)
	err = errors.Join(err, wrongName)
	var sdk aws.Config
	if err == nil {
		sdk, err = AWS(ctx)
	}
	if err != nil {
		slog.Error("wrong configuration", "error", err.Error())
		os.Exit(1)
	}
	h := newHandler(ctx, sdk, settings)
	limitMemory()
	metrics := api.Metrics{Namespace: namespace, Out: os.Stdout}
	lambda.StartWithOptions(h, lambda.WithContext(api.WithMetrics(ctx, metrics)))
}

// setLog makes the logger that of all packages. Some of them use package log.
func setLog(l *slog.Logger) {
	slog.SetDefault(l)
	log.SetOutput(withoutAnswers{log.Writer()})
}

// withoutAnswers writes lines of package log. One of net/http's quotes an answer that came without
// a request, such as one that was sent twice, with all secrets that are in it: of that line only
// the beginning is written.
type withoutAnswers struct{ io.Writer }

func (w withoutAnswers) Write(line []byte) (int, error) {
	const unsolicited = "Unsolicited response received on idle HTTP channel"
	if bytes.HasPrefix(line, []byte(unsolicited)) {
		_, err := io.WriteString(w.Writer, unsolicited+"\n")
		return len(line), err
	}
	return w.Writer.Write(line)
}

// maxMemory is 18 MiB for what a function uses apart from payloads, with room, and 12 MiB for a few
// copies of the largest one.
const maxMemory = 30 << 20

// limitMemory makes the garbage collector work harder when so much is in use. By itself it lets a
// process grow to twice what it needs, and bodies come from strangers. GOMEMLIMIT has precedence.
func limitMemory() {
	if debug.SetMemoryLimit(-1) == math.MaxInt64 {
		debug.SetMemoryLimit(maxMemory)
	}
}

// AWS returns the configuration of AWS clients, from the SDK's own variables. Its clients open new
// connections after a freeze, retry after a short back-off, log by [slog.Default], and add the time
// of each operation to the log line of the call.
func AWS(ctx context.Context) (aws.Config, error) {
	c, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithLogger(sdkLog{ctx}))
	if err != nil {
		return c, err
	}
	switch base := c.HTTPClient.(type) {
	case nil:
		c.HTTPClient = inMemory{newClient(awshttp.NewBuildableClient())}
	case *awshttp.BuildableClient: // with AWS_CA_BUNDLE
		c.HTTPClient = inMemory{newClient(base)}
	}
	if c.RetryMode != aws.RetryModeAdaptive {
		c.Retryer = newRetryer
	}
	c.APIOptions = append(c.APIOptions, func(s *middleware.Stack) error {
		return s.Initialize.Add(middleware.InitializeMiddlewareFunc("observe", observe), middleware.After)
	})
	return c, nil
}

// services are the names of AWS services in the log, by the SDK's.
var services = map[string]string{"Secrets Manager": "secret", "DynamoDB": "table", "EventBridge": "bus", "SFN": "tasks"}

func observe(
	ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
) (middleware.InitializeOutput, middleware.Metadata, error) {
	begin := time.Now()
	out, metadata, err := next.HandleInitialize(ctx, in)
	api.Observe(ctx, api.Upstream{Op: services[awsmiddleware.GetServiceID(ctx)], Duration: time.Since(begin)})
	return out, metadata, err
}

// maxWarm is far below the 10 s that Lambda gives the init phase (AWS Lambda: execution
// environment, init phase), because the request that caused the cold start waits as well.
const maxWarm = 2 * time.Second

// Warm runs the functions concurrently and waits for them, at most 2 s: work that outlived the init
// phase would be interrupted by the freeze before the first invocation.
func Warm(ctx context.Context, prepare ...func(context.Context)) {
	ctx, cancel := context.WithTimeout(ctx, maxWarm)
	defer cancel()
	var work sync.WaitGroup
	for _, p := range prepare {
		work.Go(func() { p(ctx) })
	}
	work.Wait()
}

// Callers decides who calls over HTTP as the configuration says.
func Callers(c config.Callers) api.Callers {
	return api.Callers{RequestContext: RequestContext, TrustIAM: c.TrustIAM, PrincipalClaim: c.PrincipalClaim}
}

// RequestContext returns what API Gateway proved about the caller of a request.
func RequestContext(r *http.Request) api.RequestContext {
	return api.RequestContext(lambdahttp.FromContext(r.Context()))
}

// Eraseuser is the Lambda function that forgets an end user, at Didit and here. It is deployed on
// request only.
package main

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"

	"didit-sessions/internal/api"
	"didit-sessions/internal/aws/bus"
	"didit-sessions/internal/aws/secret"
	"didit-sessions/internal/aws/table"
	"didit-sessions/internal/aws/tasks"
	"didit-sessions/internal/config"
	"didit-sessions/internal/lambdahttp"
	"didit-sessions/internal/start"
	"didit-sessions/internal/verification"
)

func main() { start.Function(config.LoadEraseUser, newHandler) }

func newHandler(_ context.Context, sdk aws.Config, settings config.EraseUser) *lambdahttp.Handler {
	eraser := &verification.Eraser{
		Store:        table.New(sdk, settings.TableName),
		Bus:          bus.New(sdk, settings.BusName),
		Tasks:        tasks.New(sdk),
		Didit:        start.DiditClient(settings.Didit, nil, secret.New(sdk, settings.Didit.SecretID).Read),
		LogRecovered: api.LogRecovered(nil),
	}
	return &lambdahttp.Handler{Direct: api.EraseUser(eraser).Invoke}
}

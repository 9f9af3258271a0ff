// Trackstatus is the Lambda function that EventBridge invokes with each status event: it records the
// status and completes the tasks that wait on the session.
package main

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"didit-sessions/internal/api"
	"didit-sessions/internal/awsstore"
	"didit-sessions/internal/awstasks"
	"didit-sessions/internal/config"
	"didit-sessions/internal/lambdahttp"
	"didit-sessions/internal/start"
	"didit-sessions/internal/verification"
)

func main() { start.Function(newHandler) }

func newHandler(ctx context.Context, getenv func(string) string) (*lambdahttp.Handler, error) {
	settings, err := config.LoadTrackStatus(getenv)
	if err != nil {
		return nil, err
	}
	aws, err := start.AWS(ctx)
	if err != nil {
		return nil, err
	}
	tracker := &verification.Tracker{
		Store: &awsstore.Table{Client: dynamodb.NewFromConfig(aws), Name: settings.Table.Name, Retention: settings.Table.Retention},
		Tasks: &awstasks.Tasks{Client: sfn.NewFromConfig(aws)},
	}
	return &lambdahttp.Handler{Direct: api.TrackStatus(tracker).Serve}, nil
}

// Trackstatus is the Lambda function that EventBridge invokes with each status event: it records
// the status and completes the tasks that wait on the session.
package main

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"

	"didit-sessions/internal/api"
	"didit-sessions/internal/aws/table"
	"didit-sessions/internal/aws/tasks"
	"didit-sessions/internal/config"
	"didit-sessions/internal/lambdahttp"
	"didit-sessions/internal/start"
	"didit-sessions/internal/verification"
)

func main() { start.Function(config.LoadTrackStatus, newHandler) }

func newHandler(_ context.Context, sdk aws.Config, settings config.TrackStatus) *lambdahttp.Handler {
	tracker := &verification.Tracker{
		Store:          table.New(sdk, settings.Table.Name),
		Tasks:          tasks.New(sdk),
		Retention:      settings.Table.Retention,
		ReconcileAfter: settings.Table.ReconcileAfter,
	}
	return &lambdahttp.Handler{Direct: api.TrackStatus(tracker).Invoke}
}

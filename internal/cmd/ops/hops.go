package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cftypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"didit-sessions/internal/verification"
)

// maxLogWait is how long the functions' log lines are waited for: CloudWatch shows them a few
// seconds late.
const maxLogWait = 15 * time.Second

// callLine is a line of a function's log about one call (functions/README.md, Logs and metrics).
type callLine struct {
	Time       time.Time `json:"timestamp"` // when the call ended
	Status     string    `json:"status"`
	Code       string    `json:"code"`
	DurationMS float64   `json:"duration_ms"`
}

func (l callLine) duration() time.Duration {
	return time.Duration(l.DurationMS * float64(time.Millisecond))
}
func (l callLine) begin() time.Time { return l.Time.Add(-l.duration()) }

// hops says how a status came into the table, with the time that each hop took: the webhook, from
// the delivery to our answer; the event, from there to trackstatus; the table, until the record is
// written. It is empty for the status of the creation.
func (o *ops) hops(ctx context.Context, d *deployment, resources map[string]cftypes.StackResourceSummary, r verification.Record, since time.Time) string {
	switch r.Source {
	case verification.SourceCreate:
		return ""
	case verification.SourceRead:
		return "  read at Didit, because no webhook came: run make doctor ENV=" + o.env
	}
	ctx, cancel := context.WithTimeout(ctx, o.atMost(maxLogWait))
	defer cancel()
	client := cloudwatchlogs.NewFromConfig(d.sdk)
	find := func(group string) (callLine, error) {
		id := aws.ToString(resources[group].PhysicalResourceId)
		for {
			line, found, err := findLine(ctx, client, id, r, since)
			if found || err != nil {
				return line, err
			}
			select {
			case <-time.After(o.poll()):
			case <-ctx.Done():
				return line, ctx.Err()
			}
		}
	}
	hook, err := find("WebhookLogGroup")
	if err != nil {
		return "  (no times: the log of webhook shows no line yet)"
	}
	track, err := find("TrackStatusLogGroup")
	if err != nil {
		return "  (no times: the log of trackstatus shows no line yet)"
	}
	return fmt.Sprintf("  webhook %s, event %s, table %s", short(hook.duration()), short(max(0, track.begin().Sub(hook.Time))), short(track.duration()))
}

// findLine looks for the line of the call that brought the record its status.
func findLine(ctx context.Context, client *cloudwatchlogs.Client, group string, r verification.Record, since time.Time) (callLine, bool, error) {
	const early = time.Minute // this machine's clock may be ahead
	out, err := client.FilterLogEvents(ctx, &cloudwatchlogs.FilterLogEventsInput{
		LogGroupName: &group, StartTime: aws.Int64(since.Add(-early).UnixMilli()),
		FilterPattern: aws.String(fmt.Sprintf(`{ $.session_id = %q && $.status = %q }`, r.SessionID, r.Status)),
	})
	if err != nil {
		return callLine{}, false, err
	}
	for _, e := range out.Events {
		var line callLine
		if json.Unmarshal([]byte(aws.ToString(e.Message)), &line) == nil && !line.Time.IsZero() && line.Status == r.Status {
			return line, true, nil
		}
	}
	return callLine{}, false, nil
}

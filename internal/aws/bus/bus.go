// Package bus publishes events on AWS EventBridge. Beyond the SDK's own attempts it does not retry:
// the caller knows whether there is time for that.
package bus

import (
	"cmp"
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"didit-sessions/internal/aws/fault"
	"didit-sessions/internal/verification"
)

// maxPublish is how long one call may take, the SDK's own retries included. Didit waits 5 s for an
// answer to its webhook, and the record is read before an event is published.
const maxPublish = 3 * time.Second

// Bus is one event bus. It is safe for concurrent use. Set its fields before first use.
type Bus struct {
	Client *eventbridge.Client // required
	Name   string              // name or ARN of the bus; required
	limit  time.Duration       // of one call, for tests; 0 means maxPublish
}

// New returns the bus with the name or ARN.
func New(c aws.Config, name string) *Bus {
	return &Bus{Client: eventbridge.NewFromConfig(c), Name: name}
}

var _ verification.Bus = (*Bus)(nil)

// Publish puts the event on the bus. It returns a [*verification.Error]: backend_unavailable if
// EventBridge fails, throttles or is out of reach, or the time is over; internal if a retry cannot
// help, for example because the function may not publish. After backend_unavailable the event may
// have been published anyway; subscribers must accept duplicates.
//
// EventBridge may accept an event for a bus that does not exist without an error, so the deployment
// must create the bus.
//
// The time of the event is in its detail only. EventBridge's "time" stays the time of publishing: a
// replay from an archive selects by it, and would miss events that Didit delivered late.
func (b *Bus) Publish(ctx context.Context, e verification.Event) error {
	detail, err := verification.EncodeDetail(e)
	if err != nil {
		return verification.NewError(verification.CodeInternal, "the event has no JSON form")
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(b.limit, maxPublish))
	defer cancel()
	out, err := b.Client.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{{
		EventBusName: aws.String(b.Name),
		Source:       aws.String(verification.EventSource),
		DetailType:   aws.String(e.DetailType()),
		Detail:       aws.String(string(detail)),
	}}})
	if err != nil {
		return service.Explain(err)
	}
	return check(out)
}

// Warm opens the connection for the first event by a request without events, which EventBridge
// refuses. It is meant for the init phase of a Lambda function. A failure does not matter: the
// first event connects then.
func (b *Bus) Warm(ctx context.Context) {
	_, _ = b.Client.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{}})
}

// check returns an error unless EventBridge accepted the one entry: the status is 200 either way.
func check(out *eventbridge.PutEventsOutput) error {
	accepted := 0
	for _, entry := range out.Entries {
		if code := aws.ToString(entry.ErrorCode); code != "" {
			return service.ExplainCode(code)
		}
		if aws.ToString(entry.EventId) != "" {
			accepted++
		}
	}
	if accepted != 1 || out.FailedEntryCount != 0 {
		return verification.NewError(verification.CodeBackendUnavailable, "EventBridge's answer does not confirm the event")
	}
	return nil
}

// service explains errors of requests (EventBridge: PutEvents, Common Errors) and of entries
// (PutEventsResultEntry).
var service = fault.Service{Name: "EventBridge", Permanent: map[string]string{
	"AccessDeniedException":               "the function may not publish on the event bus",
	"NotAuthorizedForSourceException":     "the event bus does not accept this source from the function",
	"NotAuthorizedForDetailTypeException": "the event bus does not accept this detail type from the function",
	"ResourceNotFoundException":           "the event bus does not exist",
	"OperationDisabledException":          "EventBridge does not accept events in this region",
	"InvalidAccountIdException":           "the name of the event bus is malformed",
	"InvalidArgument":                     "EventBridge does not accept the form of the event",
	"MalformedDetail":                     "EventBridge does not accept the form of the event",
	"RedactionFailure":                    "EventBridge does not accept the form of the event",
	"ValidationException":                 "EventBridge does not accept the form of the event, or the name of the event bus",
	"SerializationException":              "EventBridge does not accept the form of the event",
	"RequestEntityTooLargeException":      "the event is too large",
	"UnknownOperationException":           "the endpoint is not EventBridge",
}}

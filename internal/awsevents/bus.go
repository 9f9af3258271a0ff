// Package awsevents publishes events on AWS EventBridge. It refuses to repeat a failed event by
// itself: who publishes knows whether that is worth the time.
package awsevents

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/smithy-go"

	"didit-sessions/internal/verification"
)

// publishLimit is how long one call may take, the SDK's own repetitions included. Didit waits 5 s
// for an answer to its webhook, and the record is read before an event is published.
const publishLimit = 3 * time.Second

// Bus is one event bus. It is safe for concurrent use. Set its fields before first use.
type Bus struct {
	Client *eventbridge.Client // required
	Name   string              // name or ARN of the bus; required
	limit  time.Duration       // of one call, for tests; 0 means publishLimit
}

var _ verification.Bus = (*Bus)(nil)

// Publish puts the event on the bus. It returns a [*verification.Error] with code
// backend_unavailable when EventBridge is out of reach or in trouble (throttled, 5xx, network,
// time), and with internal when asking again does not help: denied, missing, or misused. After
// backend_unavailable the event may have been published all the same; who listens takes it twice.
//
// EventBridge may take an event for a bus that does not exist without saying so: whoever deploys
// must make sure of the bus.
//
// The event's own time is in its detail alone. EventBridge's "time" stays the time of publishing,
// because a replay from an archive selects by it, and would miss what Didit delivered late.
func (b *Bus) Publish(ctx context.Context, e verification.Event) error {
	detail, err := verification.EncodeDetail(e)
	if err != nil {
		return verification.NewError(verification.CodeInternal, "the event has no JSON form")
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(b.limit, publishLimit))
	defer cancel()
	out, err := b.Client.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{{
		EventBusName: aws.String(b.Name),
		Source:       aws.String(verification.EventSource),
		DetailType:   aws.String(e.DetailType()),
		Detail:       aws.String(string(detail)),
	}}})
	if err != nil {
		return explain(err)
	}
	return check(out)
}

// check looks at what became of the one entry: EventBridge answers 200 whether or not it took it.
func check(out *eventbridge.PutEventsOutput) error {
	taken := 0
	for _, entry := range out.Entries {
		if code := aws.ToString(entry.ErrorCode); code != "" {
			return explainCode(code)
		}
		if aws.ToString(entry.EventId) != "" {
			taken++
		}
	}
	if taken != 1 || out.FailedEntryCount != 0 {
		return verification.NewError(verification.CodeBackendUnavailable, "EventBridge's answer does not say that it took the event")
	}
	return nil
}

// permanent are the errors that asking again does not mend, of requests (EventBridge: PutEvents,
// Common Errors) and of entries (PutEventsResultEntry), with what to tell the operator.
var permanent = map[string]string{
	"AccessDeniedException":               "the function may not publish on the event bus",
	"NotAuthorizedForSourceException":     "the event bus does not take events of this source from the function",
	"NotAuthorizedForDetailTypeException": "the event bus does not take events of this detail type from the function",
	"ResourceNotFoundException":           "the event bus does not exist",
	"OperationDisabledException":          "EventBridge does not take events in this region",
	"InvalidAccountIdException":           "the event bus is named in a malformed way",
	"InvalidArgument":                     "EventBridge does not accept the form of the event",
	"MalformedDetail":                     "EventBridge does not accept the form of the event",
	"RedactionFailure":                    "EventBridge does not accept the form of the event",
	"ValidationException":                 "EventBridge does not accept the form of the event, or the name of the event bus",
	"SerializationException":              "EventBridge does not accept the form of the event",
	"RequestEntityTooLargeException":      "the event is too large",
	"UnknownOperationException":           "what answers in EventBridge's place is not EventBridge",
	"UnrecognizedClientException":         "the function's AWS credentials were refused",
	"InvalidSignatureException":           "the function's AWS credentials were refused",
	"IncompleteSignatureException":        "the function's AWS credentials were refused",
	"MissingAuthenticationTokenException": "the function's AWS credentials were refused",
	"InvalidClientTokenId":                "the function's AWS credentials were refused",
	"ExpiredTokenException":               "the function's AWS credentials have expired",
}

// explain says in our own words what went wrong: the service's texts name accounts and roles.
func explain(err error) error {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return explainCode(api.ErrorCode())
	}
	return verification.NewError(verification.CodeBackendUnavailable, "EventBridge is out of reach")
}

func explainCode(code string) error {
	if reason, ok := permanent[code]; ok {
		return verification.NewError(verification.CodeInternal, reason)
	}
	return verification.NewError(verification.CodeBackendUnavailable, "EventBridge is in trouble or throttles")
}

// Package awstasks completes the waiting tasks of AWS Step Functions. It refuses to know what a
// task waits for.
package awstasks

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/smithy-go"

	"didit-sessions/internal/verification"
)

// callLimit is how long one call may take, the SDK's own repetitions included, so that one task in
// trouble leaves time for the others of its session.
const callLimit = 3 * time.Second

// Limits of SendTaskFailure, in characters. Here they are counted in bytes, of which a text never
// has fewer.
const (
	mostName  = 256
	mostCause = 32768
)

// Tasks completes tasks by their tokens. It is safe for concurrent use. Set its field before first
// use.
type Tasks struct {
	Client *sfn.Client   // required
	limit  time.Duration // of one call, for tests; 0 means callLimit
}

var _ verification.Tasks = (*Tasks)(nil)

// Succeed ends the task with its output, JSON of at most 262,144 characters. It returns nil for a
// task that is closed: completed by somebody else, timed out, or of an execution that has ended.
//
// It returns a [*verification.Error] with code backend_unavailable when Step Functions is out of
// reach or in trouble (throttled, 5xx, network, time), and with internal when asking again does not
// help: denied, or an output that is not accepted.
func (t *Tasks) Succeed(ctx context.Context, token string, output []byte) error {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(t.limit, callLimit))
	defer cancel()
	_, err := t.Client.SendTaskSuccess(ctx, &sfn.SendTaskSuccessInput{TaskToken: aws.String(token), Output: aws.String(string(output))})
	return explain(err)
}

// Fail ends the task with the name of an error and a sentence. It returns what Succeed does. A name
// of more than 256 bytes and a sentence of more than 32,768 are clipped: a task that fails with
// less of a text is better off than one that waits.
func (t *Tasks) Fail(ctx context.Context, token, name, cause string) error {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(t.limit, callLimit))
	defer cancel()
	_, err := t.Client.SendTaskFailure(ctx, &sfn.SendTaskFailureInput{
		TaskToken: aws.String(token), Error: aws.String(clip(name, mostName)), Cause: aws.String(clip(cause, mostCause)),
	})
	return explain(err)
}

// clip cuts the text to that many bytes, between characters.
func clip(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "")
}

// closed are the errors that say that nobody waits for the task any more (AWS Step Functions:
// SendTaskSuccess, Errors).
var closed = map[string]bool{"TaskTimedOut": true, "TaskDoesNotExist": true, "InvalidToken": true}

// permanent are the errors that asking again does not mend (AWS Step Functions: SendTaskSuccess,
// Errors, and Common Errors), with what to tell the operator.
var permanent = map[string]string{
	"AccessDeniedException":               "the function may not complete tasks",
	"KmsAccessDeniedException":            "the function may not use the state machine's KMS key",
	"KmsInvalidStateException":            "the state machine's KMS key cannot be used",
	"InvalidOutput":                       "Step Functions does not accept the task's output",
	"ValidationException":                 "Step Functions does not accept the form of the task's token or output",
	"SerializationException":              "Step Functions does not accept the form of the task's token or output",
	"RequestEntityTooLargeException":      "the task's output is too large",
	"UnknownOperationException":           "what answers in Step Functions' place is not Step Functions",
	"UnrecognizedClientException":         "the function's AWS credentials were refused",
	"InvalidSignatureException":           "the function's AWS credentials were refused",
	"IncompleteSignatureException":        "the function's AWS credentials were refused",
	"MissingAuthenticationTokenException": "the function's AWS credentials were refused",
	"InvalidClientTokenId":                "the function's AWS credentials were refused",
	"ExpiredTokenException":               "the function's AWS credentials have expired",
}

// explain says in our own words what went wrong: the service's texts name accounts and roles.
func explain(err error) error {
	if err == nil {
		return nil
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		if closed[api.ErrorCode()] {
			return nil
		}
		if reason, ok := permanent[api.ErrorCode()]; ok {
			return verification.NewError(verification.CodeInternal, reason)
		}
		return verification.NewError(verification.CodeBackendUnavailable, "Step Functions is in trouble or throttles")
	}
	return verification.NewError(verification.CodeBackendUnavailable, "Step Functions is out of reach")
}

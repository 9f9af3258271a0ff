// Package tasks completes waiting tasks of AWS Step Functions by their tokens.
package tasks

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/smithy-go"

	"didit-sessions/internal/aws/fault"
	"didit-sessions/internal/verification"
)

// maxCall is how long one call may take, the SDK's own retries included, so that a task whose call
// hangs leaves time for the other tasks of its session.
const maxCall = 3 * time.Second

// Limits of SendTaskFailure, in characters. This package counts bytes, of which a string never has
// fewer.
const (
	maxName  = 256
	maxCause = 32768
)

// Tasks completes tasks by their tokens. It is safe for concurrent use. Set its field before first
// use.
type Tasks struct {
	Client *sfn.Client   // required
	limit  time.Duration // of one call, for tests; 0 means maxCall
}

// New returns the tasks of the configuration's account and region.
func New(c aws.Config) *Tasks { return &Tasks{Client: sfn.NewFromConfig(c)} }

var _ verification.Tasks = (*Tasks)(nil)

// Succeed completes the task with its output, JSON of at most 262,144 characters. It returns nil if
// the task is closed: completed before, timed out, or part of an execution that has ended.
//
// It returns a [*verification.Error]: backend_unavailable if Step Functions fails, throttles or is
// out of reach, or the time is over; internal if a retry cannot help, for example because the
// output is not accepted.
func (t *Tasks) Succeed(ctx context.Context, token string, output []byte) error {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(t.limit, maxCall))
	defer cancel()
	_, err := t.Client.SendTaskSuccess(ctx, &sfn.SendTaskSuccessInput{TaskToken: aws.String(token), Output: aws.String(string(output))})
	return explain(err)
}

// Fail completes the task with the name of an error and its cause, a sentence. It returns what
// [Tasks.Succeed] returns. It truncates a name to 256 bytes and a cause to 32,768, because
// otherwise the task would go on waiting.
func (t *Tasks) Fail(ctx context.Context, token, name, cause string) error {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(t.limit, maxCall))
	defer cancel()
	_, err := t.Client.SendTaskFailure(ctx, &sfn.SendTaskFailureInput{
		TaskToken: aws.String(token), Error: aws.String(truncate(name, maxName)), Cause: aws.String(truncate(cause, maxCause)),
	})
	return explain(err)
}

// truncate returns the first bytes of s, at most limit, without a partial character.
func truncate(s string, limit int) string {
	return strings.ToValidUTF8(s[:min(len(s), limit)], "")
}

// closed are the errors for a task that does not wait any more (AWS Step Functions:
// SendTaskSuccess, Errors).
var closed = map[string]bool{"TaskTimedOut": true, "TaskDoesNotExist": true, "InvalidToken": true}

var service = fault.Service{Name: "Step Functions", Permanent: map[string]string{
	"AccessDeniedException":          "the function may not complete tasks",
	"KmsAccessDeniedException":       "the function may not use the state machine's KMS key",
	"KmsInvalidStateException":       "the state machine's KMS key cannot be used",
	"InvalidOutput":                  "Step Functions does not accept the task's output",
	"ValidationException":            "Step Functions does not accept the form of the task's token or output",
	"SerializationException":         "Step Functions does not accept the form of the task's token or output",
	"RequestEntityTooLargeException": "the task's output is too large",
	"UnknownOperationException":      "the endpoint is not Step Functions",
}}

func explain(err error) error {
	if api, ok := errors.AsType[smithy.APIError](err); ok && closed[api.ErrorCode()] {
		return nil
	}
	return service.Explain(err)
}

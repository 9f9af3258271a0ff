package lambdatest

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Limits in bytes of synchronous invocations (AWS Lambda: Quotas; MaxAnswer is the number in
// Lambda's error messages).
const (
	MaxPayload = 6 << 20
	MaxAnswer  = 6291556
)

// ErrPayloadTooLarge is wrapped by the error of [Function.Invoke] for a payload over [MaxPayload],
// which the function does not get.
var ErrPayloadTooLarge = errors.New("payload exceeds Lambda's 6 MB")

// ErrAnswerTooLarge is wrapped by the error of [Function.Invoke] for an answer over [MaxAnswer].
// The Runtime API refuses it with status 413, after which aws-lambda-go ends the process.
var ErrAnswerTooLarge = errors.New("answer exceeds Lambda's 6 MB")

// ExitError is the error for a function whose process has ended.
type ExitError struct {
	Code   int      // exit code; -1 if a signal ended the process
	Status string   // "exit status 3", "signal: killed"
	Reason string   // why this package ended it ("stopped", "timed out"); empty if it ended by itself
	Logs   []string // the last lines that it wrote, at most 20
}

// Error returns the status, the reason and the last log lines.
func (e *ExitError) Error() string {
	text := "function exited: " + e.Status
	if e.Reason != "" {
		text += " (" + e.Reason + ")"
	}
	return text + lastLines(e.Logs)
}

// InitError is the error that a function reported to /runtime/init/error instead of polling for its
// first invocation (AWS Lambda: Runtime API, 2018-06-01).
type InitError struct {
	ErrorType    string   // the document's errorType, else the error type header
	ErrorMessage string   // the document's errorMessage
	Logs         []string // the last lines that it wrote, at most 20
}

// Error returns the type, the message and the last log lines.
func (e *InitError) Error() string {
	return fmt.Sprintf("function failed to initialise: %s: %s%s", e.ErrorType, e.ErrorMessage, lastLines(e.Logs))
}

// TimeoutError is the error for an invocation that exceeded the function's timeout. The process has
// been killed, as Lambda does.
type TimeoutError struct {
	RequestID string
	After     time.Duration // the function timeout
	Logs      []string      // the last lines that it wrote, at most 20
}

// Error returns Lambda's own message and the last log lines.
func (e *TimeoutError) Error() string {
	return fmt.Sprintf("RequestId: %s Error: Task timed out after %.2f seconds%s", e.RequestID, e.After.Seconds(), lastLines(e.Logs))
}

func lastLines(lines []string) string {
	if len(lines) == 0 {
		return "; it logged nothing"
	}
	return "; last log lines:\n\t" + strings.Join(lines, "\n\t")
}

package lambdatest

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Sizes, in bytes, of what Lambda carries synchronously (AWS Lambda: Quotas;
// the odd number is the one that its refusals name).
const (
	MaxPayload = 6 << 20
	MaxAnswer  = 6291556
)

// ErrPayloadTooLarge is wrapped by [Function.Invoke]'s error for a payload over
// [MaxPayload]; the function has not seen it.
var ErrPayloadTooLarge = errors.New("payload exceeds Lambda's 6 MB")

// ErrAnswerTooLarge is wrapped by [Function.Invoke]'s error for an answer over
// [MaxAnswer]. The function was told so with a 413, after which aws-lambda-go
// ends the process.
var ErrAnswerTooLarge = errors.New("answer exceeds Lambda's 6 MB")

// ExitError says that the function's process is gone and cannot answer.
type ExitError struct {
	Code   int      // exit code; -1 when a signal ended the process
	Status string   // "exit status 3", "signal: killed"
	Reason string   // why this package ended it ("stopped", "timed out"); empty when it ended by itself
	Logs   []string // the last lines that it wrote, at most 20
}

// Error names the status, the reason and the last log lines.
func (e *ExitError) Error() string {
	text := "function exited: " + e.Status
	if e.Reason != "" {
		text += " (" + e.Reason + ")"
	}
	return text + lastLines(e.Logs)
}

// InitError is what a function reported to /runtime/init/error instead of
// asking for its first invocation (AWS Lambda: Runtime API, 2018-06-01).
type InitError struct {
	ErrorType    string   // the document's errorType, else the error type header
	ErrorMessage string   // the document's errorMessage
	Logs         []string // the last lines that it wrote, at most 20
}

// Error names type, message and the last log lines.
func (e *InitError) Error() string {
	return fmt.Sprintf("function failed to initialise: %s: %s%s", e.ErrorType, e.ErrorMessage, lastLines(e.Logs))
}

// TimeoutError says that an invocation outlived the function timeout. The
// process has been killed, as Lambda does.
type TimeoutError struct {
	RequestID string
	After     time.Duration // the function timeout
	Logs      []string      // the last lines that it wrote, at most 20
}

// Error begins with Lambda's own words for it.
func (e *TimeoutError) Error() string {
	return fmt.Sprintf("RequestId: %s Error: Task timed out after %.2f seconds%s", e.RequestID, e.After.Seconds(), lastLines(e.Logs))
}

func lastLines(lines []string) string {
	if len(lines) == 0 {
		return "; it logged nothing"
	}
	return "; last log lines:\n\t" + strings.Join(lines, "\n\t")
}

// Package lambdahttp runs an [http.Handler] on AWS Lambda behind an API Gateway HTTP API
// (payload format 2.0), and tells that door from direct invocations. It owns the shape of
// payloads and answers; it refuses to know what is in a body.
package lambdahttp

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"
)

const (
	// longestAnswer keeps an answer inside the 30 s after which API Gateway answers by itself
	// (API Gateway: HTTP API quotas), with time for a cold start and the way back.
	longestAnswer = 26 * time.Second
	// longestDirect is the most that Lambda gives an invocation (AWS Lambda: quotas, timeout).
	longestDirect = 15 * time.Minute
	// reserve is kept of an invocation's time for the answer's way back.
	reserve = time.Second
)

// DirectHandler answers a direct invocation. The payload is only valid until it returns. An
// error that has a method ErrorType() string becomes a Lambda error of that name, on which Step
// Functions match; every other error becomes InternalError.
type DirectHandler func(ctx context.Context, payload []byte) ([]byte, error)

// Handler implements lambda.Handler with two doors. It is safe for concurrent use.
//
// A payload is HTTP's when its version is "2.0" and requestContext.http.method is not empty;
// every other payload is Direct's. Whatever an HTTP caller sends, API Gateway wraps it, so it
// never reaches Direct. The reverse does not hold: whoever may invoke the function can make up
// an HTTP payload with claims in it, which is why the permission to invoke it belongs to API
// Gateway and to trusted callers alone.
type Handler struct {
	// HTTP answers requests; nil: they are refused. It is called on the goroutine of the invocation, so
	// that a panic reaches the Lambda runtime. Bodies arrive decoded from base64, headers
	// whole, and a stage's name is taken off the path; what it writes is sent as text unless
	// its content type or its bytes say otherwise.
	HTTP   http.Handler
	Direct DirectHandler // nil: direct invocations are refused
	// Limit ends the work on an HTTP request; zero means 26 s, before API Gateway answers by itself.
	Limit time.Duration
}

// Invoke answers one payload. The context that handlers get ends early enough for the answer
// to leave in time. A panic of a handler goes on, without its value.
func (h *Handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	defer conceal()
	event, ok := parseEvent(payload)
	longest := longestDirect
	if ok {
		longest = cmp.Or(h.Limit, longestAnswer)
	}
	ctx, cancel := context.WithTimeout(ctx, budget(ctx, longest))
	defer cancel()
	if ok {
		if h.HTTP == nil {
			return nil, messages.InvokeResponse_Error{Type: "InvalidRequest", Message: "This function takes no HTTP requests."}
		}
		return serve(ctx, h.HTTP, event)
	}
	if h.Direct == nil {
		return nil, messages.InvokeResponse_Error{Type: "InvalidRequest", Message: "This function takes no direct invocations."}
	}
	answer, err := h.Direct(ctx, payload)
	if err != nil {
		return nil, named(err)
	}
	return answer, nil
}

// conceal lets a panic go on to the runtime, which reports and logs it, without its value: nobody
// knows what that quotes. The stack trace stays.
func conceal() {
	switch value := recover().(type) {
	case nil:
	case runtime.Error:
		panic(value) // indexes, types and the like
	default:
		panic(fmt.Sprintf("a value of type %T", value))
	}
}

// budget is the time for an answer: what the invocation has, less a reserve, and no longer than that.
func budget(ctx context.Context, longest time.Duration) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return longest
	}
	left := time.Until(deadline)
	return min(longest, left-min(reserve, left/4))
}

// named makes the error that aws-lambda-go reports under a name of our choice: it must be this
// type, by value and not wrapped.
func named(err error) error {
	var typed interface {
		error
		ErrorType() string
	}
	if errors.As(err, &typed) {
		return messages.InvokeResponse_Error{Type: typed.ErrorType(), Message: typed.Error()}
	}
	return messages.InvokeResponse_Error{Type: "InternalError", Message: "Something went wrong on our side."}
}

// parseEvent decides the door.
func parseEvent(payload []byte) (event, bool) {
	var e event
	if !bytes.HasPrefix(bytes.TrimLeft(payload, " \t\r\n"), []byte("{")) || json.Unmarshal(payload, &e) != nil {
		return event{}, false
	}
	return e, e.Version == "2.0" && e.RequestContext.HTTP.Method != ""
}

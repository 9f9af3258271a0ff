// Package lambdahttp runs an [http.Handler] on AWS Lambda behind an API Gateway HTTP API (payload
// format 2.0), and separates its requests from direct invocations. It defines the shape of payloads
// and answers; it does not look into a body.
//
//	lambda.Start(&lambdahttp.Handler{HTTP: mux, Direct: answer})
package lambdahttp

import (
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
	// maxAnswer leaves time for a cold start and the way back before API Gateway answers by itself
	// after 30 s (API Gateway: HTTP API quotas).
	maxAnswer = 26 * time.Second
	// maxDirect is Lambda's own limit (AWS Lambda: quotas, timeout).
	maxDirect = 15 * time.Minute
	// maxReserve is the part of the deadline reserved for the answer's way back. Of a shorter
	// deadline a quarter is reserved.
	maxReserve = time.Second
)

// Handler implements lambda.Handler for HTTP requests and direct invocations. It is safe for
// concurrent use.
//
// The payload {"probe":true} is answered with {} before either door: it proves that the function
// starts. A payload whose version is "2.0" and whose requestContext.http.method is not empty goes
// to HTTP; every other payload goes to Direct. API Gateway wraps what an HTTP caller sends, so it
// never reaches Direct. The reverse does not hold: a principal that may invoke the function can
// make up an HTTP payload with claims in it. Therefore give that permission to API Gateway and to
// trusted callers alone.
type Handler struct {
	// HTTP answers requests; nil: they are refused. It is called on the goroutine of the
	// invocation, so that a panic reaches the Lambda runtime. It gets bodies decoded from base64,
	// and the path of the route that API Gateway matched, with its parameters in their places;
	// where there is none, as under a $default route, the path of the request without the stage's
	// name. What it writes is sent as text unless its content type or its bytes are binary.
	HTTP http.Handler
	// Direct answers direct invocations; nil: they are refused. The payload is only valid until it
	// returns. An error with a method ErrorType() string becomes a Lambda error of that name, on
	// which Step Functions match; every other error becomes InternalError.
	Direct func(ctx context.Context, payload []byte) ([]byte, error)
	// MaxBody is how many bytes of a body HTTP takes; zero means all that Lambda takes. Of a longer
	// one it gets no more than it needs in order to see that: more bytes than these.
	MaxBody int
	// Limit is the time for an HTTP request; zero means 26 s, because API Gateway answers by itself
	// after 30 s.
	Limit time.Duration
}

// Invoke answers one payload. The context of handlers ends early enough for the answer to leave in
// time. A handler's panic is raised again without its value.
func (h *Handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	defer hidePanicValue()
	if isProbe(payload) {
		return []byte("{}"), nil
	}
	event, ok := parseEvent(payload, h.MaxBody)
	ok = ok && (h.HTTP != nil || h.Direct == nil) // else its members are refused by their names
	limit := maxDirect
	if ok {
		limit = cmp.Or(h.Limit, maxAnswer)
	}
	ctx, cancel := withReserve(ctx, limit)
	defer cancel()
	if ok {
		if h.HTTP == nil {
			return nil, invalidRequest("This function takes no HTTP requests.")
		}
		return serve(ctx, h.HTTP, event)
	}
	if h.Direct == nil {
		return nil, invalidRequest("This function takes no direct invocations.")
	}
	answer, err := h.Direct(ctx, payload)
	if err != nil {
		return nil, lambdaError(err)
	}
	return answer, nil
}

// maxProbe is more than a probe has; a longer payload is not read for one.
const maxProbe = 64

// isProbe reports whether the payload is a JSON object with the one member probe, which is true.
func isProbe(payload []byte) bool {
	if len(payload) > maxProbe {
		return false
	}
	var members map[string]any
	return json.Unmarshal(payload, &members) == nil && len(members) == 1 && members["probe"] == true
}

func invalidRequest(message string) error {
	return messages.InvokeResponse_Error{Type: "InvalidRequest", Message: message}
}

// hidePanicValue panics again without the original value, which may contain personal data; the
// stack trace is kept. The Lambda runtime reports and logs the panic.
func hidePanicValue() {
	switch value := recover().(type) {
	case nil:
	case runtime.Error:
		panic(value) // indexes, types and the like
	default:
		panic(fmt.Sprintf("a value of type %T", value))
	}
}

// withReserve ends the context after limit, and early enough for the answer to leave in time.
func withReserve(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		limit = min(limit, left-min(maxReserve, left/4))
	}
	return context.WithTimeout(ctx, limit)
}

// lambdaError returns the error that aws-lambda-go reports under a name of our choice: it must be
// of this type, by value and not wrapped.
func lambdaError(err error) error {
	var typed interface {
		error
		ErrorType() string
	}
	if errors.As(err, &typed) {
		return messages.InvokeResponse_Error{Type: typed.ErrorType(), Message: typed.Error()}
	}
	return messages.InvokeResponse_Error{Type: "InternalError", Message: "Something went wrong on our side."}
}

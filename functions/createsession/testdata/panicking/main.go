// Panicking is createsession with a domain that panics while secrets and personal data are in
// reach. A test looks at what the runtime prints.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"didit-sessions/internal/api"
	"didit-sessions/internal/didit"
	"didit-sessions/internal/lambdahttp"
	"didit-sessions/internal/verification"
)

func main() {
	slog.SetDefault(lambdacontext.NewLogger())
	how := os.Getenv("PANIC")
	requestContext := func(r *http.Request) api.RequestContext {
		gateway := lambdahttp.FromContext(r.Context())
		switch how {
		case "gateway's context":
			panic(gateway)
		case "request context":
			panic(api.RequestContext(gateway))
		case "http request":
			panic(r)
		}
		return api.RequestContext(gateway)
	}
	create := &api.CreateSession{Sessions: domain{how, os.Getenv("SECRET")}, Callers: api.Callers{RequestContext: requestContext}}
	lambda.Start(&lambdahttp.Handler{HTTP: create, Direct: create.Invoke})
}

// domain panics instead of creating sessions.
type domain struct {
	how    string
	secret string
}

func (d domain) Create(ctx context.Context, r verification.CreateRequest) (verification.Created, error) {
	if d.how == "another goroutine" {
		done := make(chan struct{})
		go func() {
			defer close(done)
			d.panic(ctx, r)
		}()
		<-done
	}
	return d.panic(ctx, r)
}

// panic has data in its frame, and in its caller's, that must not be printed.
func (d domain) panic(_ context.Context, r verification.CreateRequest) (verification.Created, error) {
	credentials := didit.Credentials{ClientID: d.secret, ClientSecret: d.secret, APIKey: d.secret}
	session := verification.Session{ID: "the-id", URL: d.secret, Token: d.secret, Status: "Not Started"}
	private := verification.FieldError{Field: "contact_details.email", Message: d.secret, Private: true}
	upstream := &didit.Error{Kind: didit.KindInvalidRequest, Op: "create_session", Detail: d.secret,
		Fields: []didit.FieldError{{Field: d.secret, Message: d.secret}}}
	failure := &verification.Error{Code: verification.CodeInternal, Detail: d.secret, Fields: []verification.FieldError{private}}
	switch d.how {
	case "request":
		panic(r)
	case "caller":
		panic(r.Caller)
	case "text":
		panic("the secret is " + d.secret)
	case "fields":
		panic(fmt.Sprintf("%+v", r.Fields))
	case "credentials":
		panic(credentials)
	case "session":
		panic(&session)
	case "error":
		panic(failure)
	case "wrapped":
		panic(fmt.Errorf("create: %w", errors.Join(upstream, failure)))
	case "refusals":
		panic(fmt.Sprint(failure.Fields, upstream.Fields))
	case "nil":
		var missing *domain
		return missing.Create(context.Background(), r)
	case "conversion":
		var text any = d.secret
		_ = text.(fmt.Stringer)
	case "unhashable":
		_ = map[any]bool{any([]string{d.secret}): true}
	}
	fields := r.Fields.Members
	return verification.Created{Session: verification.Session{ID: fields[len(d.secret)+len(fields)].Name}}, nil
}

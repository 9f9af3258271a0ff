//go:build system

package systemtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"
)

// service is an AWS service that is called by AWS's JSON protocol.
type service struct {
	name    string // in signatures
	target  string // prefix of X-Amz-Target
	version string // of the protocol
}

var (
	dynamodb       = service{"dynamodb", "DynamoDB_20120810", "1.0"}
	eventbridge    = service{"events", "AWSEvents", "1.1"}
	secretsmanager = service{"secretsmanager", "secretsmanager", "1.1"}
	stepfunctions  = service{"states", "AWSStepFunctions", "1.0"}
	sqs            = service{"sqs", "AmazonSQS", "1.0"}
)

// awsClient calls services at one URL. It does without AWS's SDK, so that the test does not depend
// on what the functions depend on.
type awsClient struct{ url string }

// call sends an operation. The answer is decoded into out unless that is nil.
func (c awsClient) call(ctx context.Context, s service, operation string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/", bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-amz-json-"+s.version)
	r.Header.Set("X-Amz-Target", s.target+"."+operation)
	// The signature is not verified; the service and the region are read from it.
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+accessKey+"/20260101/"+region+"/"+s.name+
		"/aws4_request, SignedHeaders=host, Signature=0")
	answer, err := exchange(http.DefaultClient, r)
	switch {
	case err != nil:
		return fmt.Errorf("%s %s: %w", s.name, operation, err)
	case answer.status != http.StatusOK:
		return fmt.Errorf("%s %s: status %d: %s", s.name, operation, answer.status, answer.body)
	case out == nil:
		return nil
	}
	return json.Unmarshal(answer.body, out)
}

// invoke calls a function through Lambda's API.
func (c awsClient) invoke(ctx context.Context, function string, payload []byte) (invocation, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/2015-03-31/functions/"+function+"/invocations", bytes.NewReader(payload))
	if err != nil {
		return invocation{}, err
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := exchange(http.DefaultClient, r)
	if err != nil {
		return invocation{}, fmt.Errorf("invoke %s: %w", function, err)
	}
	if answer.status != http.StatusOK {
		return invocation{}, fmt.Errorf("invoke %s: status %d: %s", function, answer.status, answer.body)
	}
	return answer.invocation(), nil
}

// ask invokes a function that must succeed, and decodes what it returned into out.
func (c awsClient) ask(ctx context.Context, function string, in, out any) error {
	payload, err := json.Marshal(in)
	if err != nil {
		return err
	}
	answer, err := c.invoke(ctx, function, payload)
	if err == nil && answer.failed {
		err = mismatch(function, answer.payload, "no error")
	}
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(answer.payload), out)
}

// call sends an operation that must succeed.
func (s *system) call(t *testing.T, to service, operation string, in, out any) {
	t.Helper()
	if err := s.aws.call(s.ctx, to, operation, in, out); err != nil {
		t.Fatal(err)
	}
}

// ask invokes a function that must succeed.
func (s *system) ask(t *testing.T, function string, in, out any) {
	t.Helper()
	if err := s.aws.ask(s.ctx, function, in, out); err != nil {
		t.Fatal(err)
	}
}

// invocation is the outcome of the invocation of a function.
type invocation struct {
	payload string
	failed  bool // the payload describes an error
}

// errorType is the name of the error, or "".
func (i invocation) errorType() string {
	var failure struct {
		ErrorType string `json:"errorType"`
	}
	if i.failed && json.Unmarshal([]byte(i.payload), &failure) != nil {
		return "unreadable"
	}
	return failure.ErrorType
}

// outcome is what a function makes of an event: an HTTP answer's status and code, or, for a direct
// invocation, the name of the error or "".
type outcome struct {
	status int
	code   string
}

func (i invocation) outcome() (outcome, error) {
	if i.failed {
		return outcome{code: i.errorType()}, nil
	}
	var response struct {
		StatusCode int    `json:"statusCode"`
		Body       string `json:"body"`
	}
	if err := json.Unmarshal([]byte(i.payload), &response); err != nil {
		return outcome{}, fmt.Errorf("the answer %q: %w", i.payload, err)
	}
	var p problem
	if response.StatusCode >= 300 {
		if err := json.Unmarshal([]byte(response.Body), &p); err != nil {
			return outcome{}, fmt.Errorf("the body %q: %w", response.Body, err)
		}
	}
	return outcome{response.StatusCode, p.Code}, nil
}

// problem is what the steps read of an answer that refuses a request.
type problem struct {
	Code string `json:"code"`
}

// reply is a whole HTTP answer.
type reply struct {
	status int
	header http.Header
	body   []byte
	took   time.Duration
}

func exchange(client *http.Client, r *http.Request) (reply, error) {
	begin := time.Now()
	response, err := client.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, 8<<20))
	return reply{response.StatusCode, response.Header, body, time.Since(begin)}, err
}

// invocation is an answer of sam local start-lambda as Lambda would give it.
func (r reply) invocation() invocation {
	return invocation{payload: string(r.body), failed: r.header.Get("X-Amz-Function-Error") != ""}
}

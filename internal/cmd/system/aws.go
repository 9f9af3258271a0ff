package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// region and account are where everything happens; the account is moto's own.
const (
	region  = "us-east-1"
	account = "123456789012"
)

// A service is called by AWS's JSON protocol.
type service struct {
	name    string // in signatures
	target  string // what X-Amz-Target begins with
	version string // of the protocol
}

var (
	dynamodb       = service{"dynamodb", "DynamoDB_20120810", "1.0"}
	eventbridge    = service{"events", "AWSEvents", "1.1"}
	secretsmanager = service{"secretsmanager", "secretsmanager", "1.1"}
	stepfunctions  = service{"states", "AWSStepFunctions", "1.0"}
	sqs            = service{"sqs", "AmazonSQS", "1.0"}
)

// aws calls services at one place. The clients of AWS's SDK would do too, but the test shall not
// lean on what the functions lean on.
type aws struct{ url string }

// call sends an operation. The input is anything that makes a JSON object; the answer is read into out unless that is nil.
func (a aws) call(ctx context.Context, s service, operation string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url+"/", bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-amz-json-"+s.version)
	r.Header.Set("X-Amz-Target", s.target+"."+operation)
	// Nobody checks signatures here; the stand-ins read the service and the region from it.
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+accessKey+"/20260101/"+region+"/"+s.name+"/aws4_request, SignedHeaders=host, Signature=0")
	status, answer, err := do(r)
	switch {
	case err != nil:
		return fmt.Errorf("%s %s: %w", s.name, operation, err)
	case status != http.StatusOK:
		return fmt.Errorf("%s %s: status %d: %s", s.name, operation, status, answer)
	case out == nil:
		return nil
	}
	return json.Unmarshal(answer, out)
}

// invoked is what came of the invocation of a function.
type invoked struct {
	payload string
	failed  bool // the payload describes an error
}

// errorType is the name of the error, or "".
func (i invoked) errorType() string {
	var failure struct {
		ErrorType string `json:"errorType"`
	}
	if i.failed && json.Unmarshal([]byte(i.payload), &failure) != nil {
		return "unreadable"
	}
	return failure.ErrorType
}

// invoke calls a function by Lambda's API.
func (a aws) invoke(ctx context.Context, function, payload string) (invoked, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url+"/2015-03-31/functions/"+function+"/invocations", strings.NewReader(payload))
	if err != nil {
		return invoked{}, err
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := exchange(http.DefaultClient, r)
	if err != nil {
		return invoked{}, fmt.Errorf("invoke %s: %w", function, err)
	}
	if answer.status != http.StatusOK {
		return invoked{}, fmt.Errorf("invoke %s: status %d: %s", function, answer.status, answer.body)
	}
	return answer.invoked(), nil
}

// ask invokes a function that must succeed, and reads what it returned into out.
func (a aws) ask(ctx context.Context, function string, in, out any) error {
	payload, err := json.Marshal(in)
	if err != nil {
		return err
	}
	answer, err := a.invoke(ctx, function, string(payload))
	if err == nil && answer.failed {
		err = mismatch(function, answer.payload, "no error")
	}
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(answer.payload), out)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/aws/smithy-go"
)

// explain turns an error of AWS or of the network into one sentence that says what to do. What it
// does not know it returns as it is, without the SDK's details about the request.
func explain(what string, err error) error {
	var api smithy.APIError
	if errors.As(err, &api) {
		code := api.ErrorCode()
		switch {
		case strings.Contains(code, "ExpiredToken"), code == "RequestExpired":
			return blind(fmt.Errorf("%s: the AWS login has expired; log in again (aws sso login, or new credentials)", what))
		case code == "InvalidClientTokenId", code == "UnrecognizedClientException", code == "SignatureDoesNotMatch", code == "AuthFailure":
			return blind(fmt.Errorf("%s: AWS does not know these credentials; check AWS_PROFILE, or the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", what))
		case strings.Contains(code, "AccessDenied"), code == "UnauthorizedOperation":
			return blind(fmt.Errorf("%s: these AWS credentials lack the right: %s", what, firstLine(api.ErrorMessage())))
		case strings.Contains(code, "Throttl"), code == "TooManyRequestsException":
			return blind(fmt.Errorf("%s: AWS is throttling; try again in a minute", what))
		}
		return fmt.Errorf("%s: %s: %s", what, code, firstLine(api.ErrorMessage()))
	}
	if err := explainNetwork(what, err); err != nil {
		return err
	}
	text := err.Error()
	switch {
	case strings.Contains(text, "SSO"), strings.Contains(text, "sso"), strings.Contains(text, "cached token"):
		return blind(fmt.Errorf("%s: the AWS login has expired; log in again: aws sso login", what))
	case strings.Contains(text, "credential"), strings.Contains(text, "IMDS"):
		return blind(fmt.Errorf("%s: no AWS credentials found; log in (aws sso login), or set AWS_PROFILE", what))
	}
	return blind(fmt.Errorf("%s: %s", what, firstLine(text)))
}

// explainNetwork returns a sentence about an error of the network, and nil for any other.
func explainNetwork(what string, err error) error {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return blind(fmt.Errorf("%s: the name %s cannot be resolved; is the network up?", what, dns.Name))
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return blind(fmt.Errorf("%s: no answer in time; is the network up?", what))
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return blind(fmt.Errorf("%s: no connection (%s); is the network up?", what, firstLine(op.Err.Error())))
	}
	return nil
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}

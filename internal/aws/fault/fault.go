// Package fault explains errors of AWS services to the operator. It never quotes a service's own
// messages, because they name accounts, roles and tables.
package fault

import (
	"errors"

	"github.com/aws/smithy-go"

	"didit-sessions/internal/verification"
)

const (
	refused = "the function's AWS credentials were refused"
	expired = "the function's AWS credentials have expired"
)

// common are the errors of every service that a retry cannot fix (AWS: Common errors).
var common = map[string]string{
	"UnrecognizedClientException":         refused,
	"InvalidClientTokenId":                refused,
	"InvalidSignatureException":           refused,
	"IncompleteSignatureException":        refused,
	"IncompleteSignature":                 refused,
	"MissingAuthenticationTokenException": refused,
	"MissingAuthenticationToken":          refused,
	"ExpiredTokenException":               expired,
	"ExpiredToken":                        expired,
}

// Service describes an AWS service and its errors. It is read only, and so safe for concurrent use.
type Service struct {
	Name      string
	Permanent map[string]string // explanations of errors that a retry cannot fix, by error code
	Code      verification.Code // of a permanent error; empty means internal
}

// Explain returns nil for nil, and otherwise a [*verification.Error] with the service's code if a
// retry cannot fix the error, and with backend_unavailable if it may.
func (s Service) Explain(err error) error {
	if err == nil {
		return nil
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return s.ExplainCode(api.ErrorCode())
	}
	return verification.NewError(verification.CodeBackendUnavailable, s.Name+" is out of reach")
}

// ExplainCode is [Service.Explain] for the code of an error.
func (s Service) ExplainCode(code string) error {
	for _, permanent := range []map[string]string{s.Permanent, common} {
		if reason, ok := permanent[code]; ok {
			if s.Code == "" {
				s.Code = verification.CodeInternal
			}
			return verification.NewError(s.Code, reason)
		}
	}
	return s.Busy()
}

// Busy returns the error for a service that fails or throttles.
func (s Service) Busy() error {
	return verification.NewError(verification.CodeBackendUnavailable, s.Name+" fails or throttles")
}

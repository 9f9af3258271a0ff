package awsstore

import (
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"didit-sessions/internal/verification"
)

const (
	refusedCredentials = "the function's AWS credentials were refused"
	oldCredentials     = "the function's AWS credentials have expired"
	wrongRequest       = "the table refuses the request: its keys or indexes are not those of the template, or a value is too long"
)

// permanent are the errors that asking again does not mend (Amazon DynamoDB: Error handling; Common
// errors), with what to tell the operator.
var permanent = map[string]string{
	"ResourceNotFoundException":           "the table does not exist",
	"TableNotFoundException":              "the table does not exist",
	"AccessDeniedException":               "the function may not use the table or one of its indexes",
	"ValidationException":                 wrongRequest,
	"SerializationException":              wrongRequest,
	"UnknownOperationException":           wrongRequest,
	"UnrecognizedClientException":         refusedCredentials,
	"InvalidClientTokenId":                refusedCredentials,
	"InvalidSignatureException":           refusedCredentials,
	"IncompleteSignatureException":        refusedCredentials,
	"IncompleteSignature":                 refusedCredentials,
	"MissingAuthenticationTokenException": refusedCredentials,
	"MissingAuthenticationToken":          refusedCredentials,
	"ExpiredTokenException":               oldCredentials,
	"ExpiredToken":                        oldCredentials,
}

// explain says in our own words what went wrong: the service's texts name accounts, roles and
// tables. It returns nil for nil.
func explain(err error) error {
	if err == nil {
		return nil
	}
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return verification.NewError(verification.CodeBackendUnavailable, "DynamoDB is out of reach")
	}
	if reason, ok := permanent[api.ErrorCode()]; ok {
		return verification.NewError(verification.CodeInternal, reason)
	}
	return errTrouble()
}

// outcome is of a write with a condition: whether it held.
func outcome(err error) (bool, error) {
	if _, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		return false, nil
	}
	return err == nil, explain(err)
}

func errTrouble() error {
	return verification.NewError(verification.CodeBackendUnavailable, "DynamoDB is in trouble or throttles")
}

func errMalformed() error {
	return verification.NewError(verification.CodeInternal, "a row of the table is malformed: something else has written it")
}

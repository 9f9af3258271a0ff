// Package awssecret reads secrets from AWS Secrets Manager. It refuses to look inside them and
// to keep them: what a secret means, and for how long it is cached, is up to its reader.
package awssecret

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"didit-sessions/internal/verification"
)

// readLimit is how long one read may take, the SDK's own repetition included. It leaves the
// invocation time to ask Didit.
const readLimit = 5 * time.Second

// Secret is one secret. It is safe for concurrent use.
type Secret struct {
	Client *secretsmanager.Client // required
	ID     string                 // name or ARN; required
	// limit is that of one read, and previous that of the previous version beyond the current one, for
	// tests; 0 means readLimit and previousLimit.
	limit, previous time.Duration
}

// Read returns the text of the secret's current version. It returns a [*verification.Error]
// with code backend_unavailable when Secrets Manager is out of reach (throttled, 5xx, network,
// time), and with secret_unavailable when asking again does not help: missing, denied, not to
// be decrypted, or binary.
func (s *Secret) Read(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(s.limit, readLimit))
	defer cancel()
	out, err := s.readStage(ctx, nil)
	if err != nil {
		return "", err
	}
	return *out.SecretString, nil
}

// readStage reads the version with that label, the current one without any, and makes sure that it is
// text.
func (s *Secret) readStage(ctx context.Context, stage *string) (*secretsmanager.GetSecretValueOutput, error) {
	out, err := s.Client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(s.ID), VersionStage: stage})
	if err != nil {
		return nil, explain(err)
	}
	if out.SecretString == nil {
		return nil, verification.NewError(verification.CodeSecretUnavailable, "the secret is binary, not text")
	}
	return out, nil
}

// Invalid is the error for a secret whose text its reader cannot use; see
// didit.CredentialCache.
func Invalid(err error) error {
	return verification.NewError(verification.CodeSecretUnavailable, err.Error())
}

// permanent are the errors that asking again does not mend (AWS Secrets Manager:
// GetSecretValue, Errors), with what to tell the operator.
var permanent = map[string]string{
	"ResourceNotFoundException":   "the secret does not exist or has no value yet",
	"AccessDeniedException":       "the function may not read the secret",
	"DecryptionFailure":           "the function may not use the secret's KMS key",
	"InvalidRequestException":     "the secret is scheduled for deletion",
	"InvalidParameterException":   "the secret's name is malformed",
	"ValidationException":         "the secret's name is malformed",
	"UnrecognizedClientException": "the function's AWS credentials were refused",
	"InvalidSignatureException":   "the function's AWS credentials were refused",
	"ExpiredTokenException":       "the function's AWS credentials have expired",
}

// explain says in our own words what went wrong: the service's texts name accounts and roles.
func explain(err error) error {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		if reason, ok := permanent[api.ErrorCode()]; ok {
			return verification.NewError(verification.CodeSecretUnavailable, reason)
		}
		return verification.NewError(verification.CodeBackendUnavailable, "Secrets Manager is in trouble or throttles")
	}
	return verification.NewError(verification.CodeBackendUnavailable, "Secrets Manager is out of reach")
}

// Package secret reads secrets from AWS Secrets Manager. It neither parses nor caches them.
package secret

import (
	"cmp"
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"didit-sessions/internal/aws/fault"
	"didit-sessions/internal/verification"
)

// maxRead is how long one read may take, the SDK's own retries included. It leaves the invocation
// time for the request to Didit.
const maxRead = 5 * time.Second

// Secret is one secret. It is safe for concurrent use.
type Secret struct {
	Client *secretsmanager.Client // required
	ID     string                 // name or ARN; required
	// For tests: how long a read may take, and how much longer the previous version; 0 means
	// maxRead and maxPrevious.
	limit, previous time.Duration
}

// New returns the secret with the name or ARN.
func New(c aws.Config, id string) *Secret {
	return &Secret{Client: secretsmanager.NewFromConfig(c), ID: id}
}

// Read returns the secret's current version. It returns a [*verification.Error]:
// backend_unavailable if Secrets Manager fails, throttles or is out of reach, or the time is over;
// secret_unavailable if a retry cannot help, because the secret is missing, denied, not decryptable
// or binary.
func (s *Secret) Read(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(s.limit, maxRead))
	defer cancel()
	out, err := s.readStage(ctx, nil)
	if err != nil {
		return "", err
	}
	return *out.SecretString, nil
}

// readStage reads the version with the staging label, by default the current one. In its output
// SecretString is not nil.
func (s *Secret) readStage(ctx context.Context, stage *string) (*secretsmanager.GetSecretValueOutput, error) {
	out, err := s.Client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(s.ID), VersionStage: stage})
	if err != nil {
		return nil, service.Explain(err)
	}
	if out.SecretString == nil {
		return nil, verification.NewError(verification.CodeSecretUnavailable, "the secret is binary, not text")
	}
	return out, nil
}

var service = fault.Service{Name: "Secrets Manager", Code: verification.CodeSecretUnavailable, Permanent: map[string]string{
	"ResourceNotFoundException": "the secret does not exist or has no value yet",
	"AccessDeniedException":     "the function may not read the secret",
	"DecryptionFailure":         "the function may not use the secret's KMS key",
	"InvalidRequestException":   "the secret is scheduled for deletion",
	"InvalidParameterException": "the secret's name is malformed",
	"ValidationException":       "the secret's name is malformed",
}}

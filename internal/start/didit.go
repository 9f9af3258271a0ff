package start

import (
	"context"
	"time"

	"didit-sessions/internal/api"
	"didit-sessions/internal/config"
	"didit-sessions/internal/didit"
	"didit-sessions/internal/verification"
	"didit-sessions/internal/version"
)

// DiditClient returns a Didit client that reads its credentials through read, and caches them. It
// keeps the access token in tokens, which belongs to the function and so survives warm invocations.
func DiditClient(settings config.Didit, tokens *didit.TokenCache, read func(context.Context) (string, error)) *didit.Client {
	return &didit.Client{
		Credentials: &didit.CredentialCache{Read: read, Invalid: invalidSecret}, Tokens: tokens,
		AuthURL: settings.AuthURL, APIURL: settings.APIURL, Version: didit.Version(settings.APIVersion),
		UserAgent: version.UserAgent, Observe: api.ObserveAttempt,
	}
}

// SharedToken makes the functions that have the table share one access token.
func SharedToken(settings config.Didit, table didit.TokenStore) *didit.SharedToken {
	return &didit.SharedToken{Store: table, SecretID: settings.SecretID, Failed: api.LogRecovered(nil)}
}

// maxOverlap is how long Didit also signs with the previous secret after a rotation (Didit: Get
// webhook destination).
const maxOverlap = 24 * time.Hour

// WebhookSecrets parses the current and previous versions of the webhook secret; rotatedAt is when
// the current one replaced the other. A malformed previous secret does not matter.
func WebhookSecrets(current, previous string, rotatedAt time.Time) (didit.WebhookSecrets, error) {
	secrets := didit.WebhookSecrets{PreviousUntil: rotatedAt.Add(maxOverlap)}
	var err error
	if secrets.Current, err = didit.ParseWebhookSecret(current); err != nil {
		return didit.WebhookSecrets{}, invalidSecret(err)
	}
	secrets.Previous, _ = didit.ParseWebhookSecret(previous)
	return secrets, nil
}

// invalidSecret returns the error for a secret that cannot be parsed; err does not quote it.
func invalidSecret(err error) error {
	return verification.NewError(verification.CodeSecretUnavailable, err.Error())
}

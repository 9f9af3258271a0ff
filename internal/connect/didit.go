// Package connect joins Didit's client to the secret that its credentials are in.
package connect

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"didit-sessions/internal/api"
	"didit-sessions/internal/awssecret"
	"didit-sessions/internal/config"
	"didit-sessions/internal/didit"
)

// Didit returns a client that reads its credentials from Secrets Manager. The caches are the function's:
// they outlive the invocation that filled them.
func Didit(c aws.Config, settings config.Didit, tokens *didit.TokenCache, credentials *didit.CredentialCache) *didit.Client {
	secret := &awssecret.Secret{Client: secretsmanager.NewFromConfig(c), ID: settings.SecretID}
	credentials.Read = secret.Read
	credentials.Invalid = awssecret.Invalid
	return &didit.Client{
		Credentials: credentials, Tokens: tokens,
		AuthURL: settings.AuthURL, APIURL: settings.APIURL, Version: didit.Version(settings.APIVersion),
		Observe: api.ObserveAttempt,
	}
}

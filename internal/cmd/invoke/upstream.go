package main

import (
	"encoding/json"
	"fmt"
	"maps"

	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/lambdatest"
)

const secretID = "local/didit"

// upstream is what a function talks to.
type upstream struct {
	didit   *didittest.Server
	secrets *lambdatest.SecretsManager
}

func startUpstream(apiKey bool) (*upstream, error) {
	u := &upstream{didit: &didittest.Server{}, secrets: &lambdatest.SecretsManager{}}
	credentials := map[string]string{"client_id": didittest.DefaultClientID, "client_secret": didittest.DefaultClientSecret}
	if apiKey {
		credentials = map[string]string{"api_key": didittest.DefaultAPIKey}
	}
	text, err := json.Marshal(credentials)
	if err != nil {
		return nil, err
	}
	u.secrets.Set(secretID, string(text))
	if err := u.didit.Start(); err != nil {
		return nil, fmt.Errorf("start the Didit simulator: %w", err)
	}
	if err := u.secrets.Start(); err != nil {
		u.didit.Close()
		return nil, err
	}
	return u, nil
}

func (u *upstream) close() {
	u.didit.Close()
	u.secrets.Close()
}

// environment is a configuration that suits the event, with own on top.
func (u *upstream) environment(event event, own map[string]string) map[string]string {
	env := map[string]string{
		"AWS_ENDPOINT_URL_SECRETS_MANAGER": u.secrets.URL(),
		"DIDIT_SECRET_ID":                  secretID,
		"DIDIT_AUTH_URL":                   u.didit.URL(),
		"DIDIT_API_URL":                    u.didit.URL(),
		"WORKFLOW_IDS":                     "11111111-2222-3333-4444-555555555555",
		"ALLOWED_CALLBACKS":                "https://example.com/verification,myapp://",
		"CALLER_AUTH":                      "jwt",
	}
	if event.iam {
		env["CALLER_AUTH"] = "iam"
	}
	maps.Copy(env, own)
	return env
}

package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"testing"

	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/lambdatest"
)

// BenchmarkCreate is one warm call in this process, with what it allocates; the simulator's share is in
// the time and in the allocations, and the Runtime API's is not.
func BenchmarkCreate(b *testing.B) {
	didit, secrets := new(didittest.Server), new(lambdatest.SecretsManager)
	if err := didit.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(didit.Close)
	if err := secrets.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(secrets.Close)
	secrets.Set(secretID, pairSecret)
	for name, value := range map[string]string{"AWS_ENDPOINT_URL_SECRETS_MANAGER": secrets.URL(), "AWS_REGION": lambdatest.Region,
		"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "not-a-real-key"} {
		b.Setenv(name, value)
	}
	slog.SetDefault(slog.New(slog.NewJSONHandler(io.Discard, nil)))
	env := map[string]string{"DIDIT_SECRET_ID": secretID, "DIDIT_AUTH_URL": didit.URL(), "DIDIT_API_URL": didit.URL(), "WORKFLOW_IDS": workflow,
		"ALLOWED_CALLBACKS": "https://example.com/verification"}
	handler, err := newHandler(context.Background(), func(name string) string { return env[name] })
	if err != nil {
		b.Fatal(err)
	}
	payload, err := os.ReadFile("../../events/createsession-http-full.json")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := handler.Invoke(b.Context(), payload); err != nil {
			b.Fatal(err)
		}
	}
}

package main

import (
	"io"
	"log/slog"
	"testing"

	"didit-sessions/internal/awsfake"
	"didit-sessions/internal/config"
	"didit-sessions/internal/stage/stagetest"
	"didit-sessions/internal/start"
)

// BenchmarkCreate measures a warm call in this process, including the simulator and excluding the
// Runtime API.
func BenchmarkCreate(b *testing.B) {
	around := stagetest.NewIdle(b)
	env := around.Environment()
	env["TABLE_NAME"] = ""
	for name, value := range map[string]string{"AWS_ENDPOINT_URL_SECRETS_MANAGER": around.Secrets.URL(), "AWS_REGION": awsfake.Region,
		"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "not-a-real-key"} {
		b.Setenv(name, value)
	}
	slog.SetDefault(slog.New(slog.NewJSONHandler(io.Discard, nil)))
	settings, err := config.LoadCreateSession(func(name string) string { return env[name] })
	if err != nil {
		b.Fatal(err)
	}
	sdk, err := start.AWS(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	handler := newHandler(b.Context(), sdk, settings)
	payload := stagetest.Event(b, "http-full")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := handler.Invoke(b.Context(), payload); err != nil {
			b.Fatal(err)
		}
	}
}

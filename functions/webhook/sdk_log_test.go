package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"didit-sessions/internal/lambdatest"
	"didit-sessions/internal/stage/stagetest"
)

// Ensure that a warning of the AWS SDK is a line of JSON, too, with the id of its invocation.
func TestSDKWarning(t *testing.T) {
	t.Parallel()
	w := stagetest.NewIdle(t)
	odd := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Date", "yesterday")
		w.Secrets.ServeHTTP(rw, r)
	}))
	t.Cleanup(odd.Close)
	w.Start(t, lambdatest.Options{Env: map[string]string{"AWS_ENDPOINT_URL_SECRETS_MANAGER": odd.URL}})
	if a := w.HTTP(t, approved(t)); a.Status != 200 {
		t.Errorf("got %d %s, want 200", a.Status, a.Body)
	}
	warnings := 0
	for line := range bytes.Lines(w.Logs()) {
		var got struct{ Level, Msg, Message, Detail, RequestID string }
		if err := json.Unmarshal(line, &got); err != nil {
			t.Errorf("got the line %s, want JSON", line)
		}
		if strings.Contains(string(line), "yesterday") {
			warnings++
			if got.Level != "WARN" || got.RequestID == "" || !strings.Contains(got.Detail, "Date") {
				t.Errorf("got the line %s, want a warning with the id of the invocation", line)
			}
		}
	}
	if warnings == 0 {
		t.Error("the SDK warned of nothing")
	}
}

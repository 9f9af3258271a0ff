package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"didit-sessions/internal/awsfake"
	"didit-sessions/internal/lambdatest"
	"didit-sessions/internal/stage/stagetest"
)

// Ensure that a warning of the AWS SDK is a line of JSON, too, with the id of its invocation.
func TestSDKWarning(t *testing.T) {
	t.Parallel()
	w := stagetest.NewIdle(t)
	var prepared atomic.Bool // the init phase has ended, in which no secret was to be had
	w.Secrets.Fail(awsfake.AccessDenied, awsfake.UntilCleared)
	odd := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if prepared.Load() {
			rw.Header().Set("Date", "yesterday")
		}
		w.Secrets.ServeHTTP(rw, r)
	}))
	t.Cleanup(odd.Close)
	w.Start(t, lambdatest.Options{Env: map[string]string{"AWS_ENDPOINT_URL_SECRETS_MANAGER": odd.URL}})
	if _, err := w.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.Secrets.ClearFaults()
	prepared.Store(true)
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

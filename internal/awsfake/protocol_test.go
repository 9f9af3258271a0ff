package awsfake_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// call is a request in the AWS JSON protocol.
type call struct {
	url, target, contentType, service, body string
	unsigned                                bool
}

// outcome is what came of it; errorType is empty for a success.
type outcome struct {
	status    int
	errorType string
	body      string
}

func (c call) send(ctx context.Context, t *testing.T) (outcome, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, "POST", c.url, strings.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", c.contentType)
	req.Header.Set("X-Amz-Target", c.target)
	req.Header.Set("X-Amz-Date", "20250101T000000Z")
	if !c.unsigned {
		req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKID/20250101/eu-west-1/"+c.service+"/aws4_request, SignedHeaders=host;x-amz-date, Signature=00")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return outcome{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Type string `json:"__type"`
	}
	if err := json.Unmarshal(body, &document); err != nil {
		t.Errorf("%s: %v", body, err)
	}
	if resp.Header.Get("X-Amzn-ErrorType") != document.Type || resp.Header.Get("X-Amzn-RequestId") == "" || !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/x-amz-json-1.") {
		t.Errorf("got headers %v with %s, want the error's name, a request id and AWS JSON", resp.Header, body)
	}
	return outcome{resp.StatusCode, document.Type, string(body)}, nil
}

// want sends the request and checks how it ends.
func (c call) want(t *testing.T, name string, status int, errorType string) outcome {
	t.Helper()
	got, err := c.send(t.Context(), t)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if got.status != status || got.errorType != errorType {
		t.Errorf("%s: got %d %s %s, want %d %s", name, got.status, got.errorType, got.body, status, errorType)
	}
	if errorType != "" && strings.Contains(got.body, marker) {
		t.Errorf("%s: the refusal shows what was sent: %s", name, got.body)
	}
	return got
}

// wantProtocolErrors checks what every service refuses before it looks at a request.
func (c call) wantProtocolErrors(t *testing.T) {
	t.Helper()
	for name, test := range map[string]struct {
		change    func(*call)
		status    int
		errorType string
	}{
		"unsigned":           {func(c *call) { c.unsigned = true }, 400, "MissingAuthenticationTokenException"},
		"other service":      {func(c *call) { c.service = "secretsmanager" }, 400, "IncompleteSignatureException"},
		"other action":       {func(c *call) { c.target += "s" }, 400, "UnknownOperationException"},
		"other target":       {func(c *call) { c.target = "secretsmanager.GetSecretValue" }, 400, "UnknownOperationException"},
		"other content type": {func(c *call) { c.contentType = "application/json" }, 400, "UnknownOperationException"},
		"no JSON":            {func(c *call) { c.body = marker }, 400, "SerializationException"},
		"too long":           {func(c *call) { c.body = strings.Repeat(" ", 3<<20) }, 413, "RequestEntityTooLargeException"},
	} {
		changed := c
		test.change(&changed)
		changed.want(t, name, test.status, test.errorType)
	}
}

// wantDisconnected checks that a reset and a silence end as such; calls is how many requests came
// in.
func (c call) wantDisconnected(t *testing.T, calls func() int, fail func(silence bool)) {
	t.Helper()
	fail(false)
	if _, err := c.send(t.Context(), t); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("reset: got %v", err)
	}
	fail(true)
	wantSilence(t, calls, func(ctx context.Context) error {
		_, err := c.send(ctx, t)
		return err
	})
}

// wantSilence checks that a request which has come in is left without an answer.
func wantSilence(t *testing.T, calls func() int, request func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(patience(t))
	before := calls()
	go func() {
		waitForCall(ctx, calls, before)
		// Time for an answer; however short it is, there must be none.
		time.Sleep(20 * time.Millisecond)
		cancel()
	}()
	if err := request(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("silence: got %v", err)
	}
	cancel()
}

// waitForCall returns when more than so many requests have come in, or the context has ended.
func waitForCall(ctx context.Context, calls func() int, before int) {
	for calls() == before && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
}

// wantRedacted checks that the value prints without the marker.
func wantRedacted(t *testing.T, value any) {
	t.Helper()
	var out strings.Builder
	fmt.Fprintf(&out, "%v %+v %#v %s %q", value, value, value, value, value)
	slog.New(slog.NewTextHandler(&out, nil)).Info("text", "value", value)
	if strings.Contains(out.String(), marker) {
		t.Errorf("%T is printed: %s", value, out.String())
	}
}

// patience only ends a test that hangs.
func patience(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

package main

import (
	"context"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"didit-sessions/internal/didit/didittest"
)

// line waits for the first line that a program prints.
func line(t *testing.T, out io.Reader) string {
	t.Helper()
	var text []byte
	for b := make([]byte, 1); !strings.HasSuffix(string(text), "\n"); {
		if _, err := out.Read(b); err != nil {
			t.Fatalf("%v after %q", err, text)
		}
		text = append(text, b[0])
	}
	return string(text)
}

// Ensure that the simulator alone says when it is ready, serves, and ends when its context does,
// even while a fault keeps a request waiting.
func TestRunSimulator(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"simulator", "-port", "0", "-webhook", "http://127.0.0.1:1/hook"}, env(nil), in)
		_ = in.Close()
	}()
	ready := regexp.MustCompile(`^ready: (http://127\.0\.0\.1:\d+)\n$`).FindStringSubmatch(line(t, out))
	if ready == nil {
		t.Fatal("the first line does not say that it is ready, and where")
	}
	rest := make(chan string, 1)
	go func() { text, _ := io.ReadAll(out); rest <- string(text) }()
	if _, body := do(t, "GET", ready[1]+"/simulator/webhook", "", "", ""); !strings.Contains(body, `"http://127.0.0.1:1/hook"`) {
		t.Errorf("the webhook's destination: got %s", body)
	}
	if response, body := do(t, "GET", ready[1]+"/", "", "", ""); response.StatusCode != 200 || !strings.Contains(body, "<h1") {
		t.Errorf("the page: got %d", response.StatusCode)
	}
	do(t, "POST", ready[1]+"/simulator/faults", "", "application/json", `{"name":"silence"}`)
	waiting := make(chan error, 1)
	go func() {
		r, err := http.NewRequestWithContext(context.Background(), "POST", ready[1]+"/v3/session/", strings.NewReader("{}"))
		if err == nil {
			var response *http.Response
			if response, err = http.DefaultClient.Do(r); err == nil {
				err = response.Body.Close()
			}
		}
		waiting <- err
	}()
	for arrived := false; !arrived; {
		_, body := do(t, "GET", ready[1]+"/simulator/requests", "", "", "")
		arrived = strings.Contains(body, "/v3/session/")
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("ended with %v", err)
	}
	if err := <-waiting; err == nil {
		t.Error("the waiting request was answered")
	}
	if text := <-rest; !strings.Contains(text, didittest.DefaultWebhookSecret) || !strings.HasSuffix(text, "stopping\n") {
		t.Errorf("got output %s", text)
	}
}

func TestRunSimulator_refused(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		`unknown argument "x"`:                {"x"},
		"-webhook: url: not an http or https": {"-webhook", "example.com"},
		"-port is 70000":                      {"-port", "70000"},
		"help requested":                      {"-port", "x"},
	} {
		if err := run(t.Context(), append([]string{"simulator"}, args...), env(nil), io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", args, err, want)
		}
	}
}

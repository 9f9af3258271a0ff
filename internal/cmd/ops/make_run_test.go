package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// maxStart only ends a test that hangs.
const maxStart = 5 * time.Minute

// makeRun builds and starts what make run runs, and returns the URLs of its gateway and simulator.
func makeRun(t *testing.T) (gateway, simulator string) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "local")
	if out, err := exec.Command("go", "build", "-o", binary, "didit-sessions/internal/cmd/local").CombinedOutput(); err != nil {
		t.Fatalf("build: %v: %s", err, out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), maxStart)
	command := exec.CommandContext(ctx, binary, "-port", "0", "-simulator-port", "0")
	out, err := command.StdoutPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = command.Wait()
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() && simulator == "" {
		if m := regexp.MustCompile(`^page and API +(http\S+)`).FindStringSubmatch(lines.Text()); m != nil {
			gateway = m[1]
		} else if m := regexp.MustCompile(`^Didit simulator +(http\S+)`).FindStringSubmatch(lines.Text()); m != nil {
			simulator = m[1]
		}
	}
	if simulator == "" {
		t.Fatalf("make run did not start: %v", lines.Err())
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return gateway, simulator
}

func post(t *testing.T, address, body string) { call(t, http.MethodPost, address, body) }

func get(t *testing.T, address string) string { return call(t, http.MethodGet, address, "") }

// call must succeed; it returns the answer.
func call(t *testing.T, method, address, body string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer alice")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	if answer.StatusCode/100 != 2 {
		t.Fatalf("%s: status %d, %s", address, answer.StatusCode, text)
	}
	return string(text)
}

// Ensure that connect, doctor and replay work on the system of make run.
func TestMakeRun(t *testing.T) {
	t.Parallel()
	gateway, simulator := makeRun(t)
	u, err := url.Parse(gateway)
	if err != nil {
		t.Fatal(err)
	}
	command := func(status int, args ...string) string {
		t.Helper()
		var out bytes.Buffer
		c := &console{timing: unhurried, in: new(bytes.Buffer), out: &out, err: &out, getenv: func(name string) string {
			return map[string]string{"CI": "true", "ENV": localEnv, "PORT": u.Port()}[name]
		}}
		if got := run(t.Context(), args, c); got != status {
			t.Fatalf("%q: status %d, want %d; output:\n%s", args, got, status, out.String())
		}
		if strings.Contains(out.String(), "simulated-") || strings.Contains(out.String(), "rotated-secret") {
			t.Errorf("%q: a secret was printed: %s", args, out.String())
		}
		return out.String()
	}
	const unchanged = `Didit API key    unchanged, accepted
Destination      unchanged: %/webhooks/didit
Webhook secret   unchanged
Probe            accepted by the function
Deliveries       unchanged, on
Connected. Next  open the page of make run
`
	for _, verb := range []string{"session", "erase", "destroy", "deploy"} {
		if got := command(exitBlind, verb); !strings.Contains(got, verb+" needs a deployed stack; for the system of make run, use its page") {
			t.Errorf("%s: got %s", verb, got)
		}
	}
	if got, want := command(exitWell, "connect"), strings.ReplaceAll(unchanged, "%", gateway); !strings.Contains(got, want) {
		t.Errorf("connect: got\n%s\nwant\n%s", got, want)
	}
	if got := command(exitWell, "doctor"); !strings.Contains(got, " 0 wrong, 0 not seen") || strings.Contains(got, "Queues") {
		t.Errorf("doctor: got\n%s\nwant nothing wrong, and nothing of AWS", got)
	}
	post(t, simulator+"/simulator/webhook/rotation", `{"secret":"rotated-secret-of-43-characters-0000000000"}`)
	if got := command(exitWrong, "doctor"); !strings.Contains(got, "it was rotated at Didit") {
		t.Errorf("doctor after a rotation: got\n%s", got)
	}
	if got := command(exitWell, "connect"); !strings.Contains(got, "Webhook secret   stored\n") {
		t.Errorf("connect after a rotation: got\n%s", got)
	}
	command(exitWell, "doctor")

	post(t, simulator+"/simulator/webhook/quirks", `{"quirk":"never","times":1}`)
	post(t, gateway+"/sessions", "{}")
	// The delivery is lost in the background.
	for !strings.Contains(get(t, simulator+"/simulator/deliveries"), "never sent") {
	}
	if got := command(exitWell, "replay"); !strings.Contains(got, "1 event sent again, 1 of them accepted.\n") {
		t.Errorf("replay: got\n%s", got)
	}
	if got := command(exitWell, "replay"); !strings.HasPrefix(got, "Nothing to send again") {
		t.Errorf("replay again: got\n%s", got)
	}
}

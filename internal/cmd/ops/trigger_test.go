package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"didit-sessions/internal/didit"
	"didit-sessions/internal/lambdatest"
)

// startLocal runs the local system, as make run does, and returns its origin.
func startLocal(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "local")
	if err := lambdatest.Build(t.Context(), "./internal/cmd/local", binary); err != nil {
		t.Fatal(err)
	}
	p := exec.Command(binary, "-port", "0")
	out, err := p.StdoutPipe()
	if err == nil {
		err = p.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.Process.Signal(os.Interrupt)
		_ = p.Wait()
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if found := regexp.MustCompile(`^page and API +(\S+)$`).FindStringSubmatch(lines.Text()); found != nil {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return found[1]
		}
	}
	t.Fatal("the local system did not start")
	return ""
}

// triggered runs the verb and returns what it said.
func triggered(t *testing.T, want int, variables map[string]string) string {
	t.Helper()
	var out strings.Builder
	c := &console{timing: unhurried, in: strings.NewReader(""), out: &out, err: &out, getenv: func(name string) string { return variables[name] }}
	if got := run(t.Context(), []string{"trigger"}, c); got != want {
		t.Fatalf("%v: got status %d, want %d: %s", variables, got, want, &out)
	}
	return out.String()
}

// Ensure that every order reaches make run, and does there what it promises.
func TestTrigger_local(t *testing.T) {
	t.Parallel()
	origin := startLocal(t)
	variables := map[string]string{"ENV": "local", "PORT": origin[strings.LastIndex(origin, ":")+1:], "STATUS": "In Progress"}
	with := func(status, order string) map[string]string {
		v := maps.Clone(variables)
		v["STATUS"], v["ORDER"] = status, order
		return v
	}
	if out := triggered(t, exitWrong, variables); !strings.Contains(out, "there is no such session") {
		t.Errorf("without a session: got %s", out)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, origin+"/sessions", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer alice")
	r.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	for _, test := range []struct {
		status, order string
		want          []string
	}{
		{"in progress", "", []string{"Not Started, then In Progress (once)", "webhook  status.updated: In Progress: 200", "table    Not Started → In Progress"}},
		{"In Review", "late", []string{"status.updated: In Progress: 200", "status.updated: In Review: 200"}},
		{"Approved", "forged", []string{"status.updated: Approved: 404 (signature_mismatch)"}},
		{"Declined", "lost", []string{"status.updated: Declined: lost"}},
		{"Approved", "twice", []string{"→ Approved: Approved", "event    Verification Session Status Updated: Approved"}},
	} {
		if err := forward(t.Context(), origin); err != nil {
			t.Fatal(err)
		}
		out := triggered(t, exitWell, with(test.status, test.order))
		for _, want := range test.want {
			if !strings.Contains(out, want) {
				t.Errorf("%s %s: got %s, want %q in it", test.status, test.order, out, want)
			}
		}
		if n := strings.Count(out, "status.updated: Approved: 200"); test.order == "twice" && n != 2 {
			t.Errorf("twice: got %d deliveries in %s", n, out)
		}
		if test.order == "late" && strings.Index(out, "status.updated: In Progress") > strings.Index(out, "status.updated: In Review") {
			t.Errorf("late: got %s, want the newer event first", out)
		}
	}
	if out := triggered(t, exitWrong, with("Approved", "")); !strings.Contains(out, "Approved at Didit already") {
		t.Errorf("the same status: got %s", out)
	}
	variables["SESSION"] = "11111111-1111-4111-8111-111111111111"
	if out := triggered(t, exitWrong, variables); !strings.Contains(out, "there is no such session") {
		t.Errorf("an unknown session: got %s", out)
	}
	variables["SESSION"] = ""
	if err := postLocal(t.Context(), origin, "/local/simulator/webhook/quirks", map[string]any{"quirk": "stale"}); err != nil {
		t.Fatal(err)
	}
	if out := triggered(t, exitWrong, with("Declined", "")); !strings.Contains(out, "go wrong already (stale)") {
		t.Errorf("with an armed quirk: got %s", out)
	}
}

// forward sets the clock of the local system forward: the times of events are whole seconds.
func forward(ctx context.Context, origin string) error {
	return postLocal(ctx, origin, "/local/clock", map[string]any{"forward_seconds": 2})
}

// Ensure that a deployed stack gets deliveries that its secret signs, and no other than those.
func TestTrigger_deployed(t *testing.T) {
	a := newAccount(t)
	for name, value := range a.environment() {
		t.Setenv(name, value) // the SDK reads the environment itself
	}
	type arrived struct {
		genuine         bool
		created, signed int64
		eventID, status string
	}
	var got []arrived
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var d struct {
			Created int64  `json:"created_at"`
			Signed  int64  `json:"timestamp"`
			EventID string `json:"event_id"`
			Status  string `json:"status"`
		}
		_ = json.Unmarshal(body, &d)
		signature, v2, _ := didit.SignWebhook(body, secretMarker+"-hook")
		genuine := r.Header.Get("X-Signature") == signature && r.Header.Get("X-Signature-V2") == v2
		got = append(got, arrived{genuine, d.Created, d.Signed, d.EventID, d.Status})
		if !genuine {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"code":"signature_mismatch"}`)
		}
	}))
	defer hook.Close()
	const secret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:hook-AbCdEf"
	a.secrets[secret] = `{"webhook_secret":"` + secretMarker + `-hook"}`
	a.stacks["didit-sessions"] = &fakeStack{status: "UPDATE_COMPLETE", outputs: map[string]string{"WebhookSecretArn": secret, "WebhookUrl": hook.URL}}
	dir := t.TempDir()
	if err := copyRepository(dir); err != nil {
		t.Fatal(err)
	}
	do := func(want int, change map[string]string) string {
		t.Helper()
		got = nil
		variables := map[string]string{"ENV": "prod", "STATUS": "Approved", "SESSION": "99999999-2222-3333-4444-55555555ABCD", "CONFIRM": "didit-sessions"}
		maps.Copy(variables, a.environment())
		maps.Copy(variables, change)
		var out strings.Builder
		c := &console{timing: unhurried, in: strings.NewReader(""), out: &out, err: &out, getenv: func(name string) string { return variables[name] }}
		if status := run(t.Context(), []string{"trigger", "-dir", dir}, c); status != want {
			t.Fatalf("%v: got status %d, want %d: %s", change, status, want, &out)
		}
		if strings.Contains(out.String(), secretMarker) {
			t.Errorf("%v: a secret is in %s", change, &out)
		}
		return out.String()
	}
	if out := do(exitWell, nil); len(got) != 1 || !got[0].genuine || got[0].created != got[0].signed || got[0].status != "Approved" || !strings.Contains(out, "POST /webhooks/didit: 200") {
		t.Errorf("once: got %+v, %s", got, out)
	}
	if do(exitWell, map[string]string{"ORDER": "twice"}); len(got) != 2 || got[0] != got[1] || !got[0].genuine {
		t.Errorf("twice: got %+v, want the same event twice", got)
	}
	if do(exitWell, map[string]string{"ORDER": "late"}); len(got) != 1 || got[0].signed-got[0].created != 3600 || !got[0].genuine {
		t.Errorf("late: got %+v, want an event of an hour ago", got)
	}
	if out := do(exitWell, map[string]string{"ORDER": "forged"}); len(got) != 1 || got[0].genuine || !strings.Contains(out, "404 signature_mismatch") {
		t.Errorf("forged: got %+v, %s", got, out)
	}
	for want, change := range map[string]map[string]string{
		"there is nothing to do":               {"ORDER": "lost"},
		"the order must be one of once, late":  {"ORDER": "soon"},
		"the status must be one of":            {"STATUS": "Fine"},
		"the session id must be a UUID":        {"SESSION": "1"},
		"SESSION is missing":                   {"SESSION": ""},
		"CONFIRM is missing":                   {"CONFIRM": ""},
		"the name is didit-sessions":           {"CONFIRM": "other"},
		"STATUS is missing (-status): one of ": {"STATUS": ""},
	} {
		if out := do(exitBlind, change); !strings.Contains(out, want) || len(got) > 0 {
			t.Errorf("%v: got %s and %d deliveries, want %q and none", change, out, len(got), want)
		}
	}
	a.secrets[secret] = ""
	if out := do(exitWrong, nil); !strings.Contains(out, "has no webhook secret yet") {
		t.Errorf("without a secret: got %s", out)
	}
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"didit-sessions/internal/api"
	"didit-sessions/internal/didit"
	"didit-sessions/internal/didit/didittest"
)

// world is what connect, doctor and replay talk to beside AWS: Didit, played by the simulator, and
// the deployed webhook, which verifies with the secret that the account keeps.
type world struct {
	*account
	services   *services
	repository string // its folder
	didit      *didittest.Server
	url        string // of Didit
	hook       string // URL of the webhook
	seen       []string
	down       bool // the webhook answers 503
	timing
}

const (
	didArn  = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:didit-AbCdEf"
	hookArn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:webhook-AbCdEf"
	didKey  = secretMarker + "-didit-key"
)

// newWorld serves both until the test ends. The simulated application has one workflow.
func newWorld(t interface{ Cleanup(func()) }, a *account) *world {
	w := &world{account: a, didit: &didittest.Server{
		APIKey: didKey, ClientSecret: secretMarker + "-client-secret", DeliveryTimeout: time.Hour, RetryWaits: []time.Duration{},
		ScopedKeys: map[string][]string{
			secretMarker + "-narrow": {"workflows:read"}, secretMarker + "-reader": {"webhooks:read", "workflows:read"},
		},
	}}
	w.services = newServices(t)
	w.repository, _ = filepath.Abs(filepath.Join("..", "..", ".."))
	server := httptest.NewServer(w.didit)
	t.Cleanup(server.Close)
	t.Cleanup(w.didit.Close)
	w.url = server.URL
	hook := httptest.NewServer(w.webhook())
	t.Cleanup(hook.Close)
	w.hook = hook.URL + "/webhooks/didit"
	a.secrets[didArn], a.secrets[hookArn] = "", ""
	return w
}

// webhook is the function, with an account instead of AWS.
func (w *world) webhook() http.Handler {
	now := func() time.Time { return w.now() }
	cache := &didit.WebhookSecretCache{Now: now, Read: func(context.Context) (didit.WebhookSecrets, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		secret, err := didit.ParseWebhookSecret(w.secrets[hookArn])
		return didit.WebhookSecrets{Current: secret}, err
	}}
	real := &api.Webhook{Verifier: &didit.Verifier{Secrets: cache, Now: now}, Events: events{w}, Log: slog.New(slog.DiscardHandler),
		RequestContext: func(*http.Request) api.RequestContext { return api.RequestContext{} }}
	return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		down := w.down
		w.mu.Unlock()
		switch {
		case down:
			out.WriteHeader(http.StatusServiceUnavailable)
		case r.URL.Path != "/webhooks/didit":
			http.NotFound(out, r)
		default:
			real.ServeHTTP(out, r)
		}
	})
}

// events remembers what the webhook accepts.
type events struct{ *world }

func (e events) Receive(_ context.Context, event didit.WebhookEvent) (published bool, err error) {
	if event.Ignored {
		return false, nil // a probe
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.seen = append(e.seen, event.Status)
	return true, nil
}

// addStack puts the stack of an environment into the account.
func (w *world) addStack(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	const queues = "https://sqs.eu-west-1.amazonaws.com/123456789012/"
	resources := map[string][2]string{
		"HandOverQueue": {"AWS::SQS::Queue", queues + "handover"}, "FailedEventsQueue": {"AWS::SQS::Queue", queues + "failed"},
		"AlarmTopic": {"AWS::SNS::Topic", "arn:aws:sns:eu-west-1:123456789012:alarms"},
	}
	for _, f := range []string{"CreateSession", "Webhook", "Reconcile"} {
		physical := name + "-" + f
		resources[f+"Function"] = [2]string{"AWS::Lambda::Function", physical}
		w.functions[physical] = func([]byte) ([]byte, string, string) { return []byte("{}"), "", "" }
	}
	w.stacks[name] = &fakeStack{
		status: "CREATE_COMPLETE", resources: resources,
		outputs: map[string]string{"WebhookUrl": w.hook, "SecretArn": didArn, "WebhookSecretArn": hookArn},
		parameters: map[string]string{
			"DiditApiUrl": w.url, "WorkflowIds": didittest.DefaultWorkflow.ID, "CallerAuth": "iam",
			"AllowedCallbacks": "https://app.example.com/verified,myapp://",
		},
	}
}

func worldOf(ts *testscript.TestScript) *world { return ts.Value("world").(*world) }

// cmdDidit sends a request to the simulator, to its API with the application's key, and prints the
// answer: didit METHOD PATH [BODY].
func cmdDidit(ts *testscript.TestScript, neg bool, args []string) {
	w := worldOf(ts)
	body := ""
	if len(args) > 2 {
		body = args[2]
	}
	r, err := http.NewRequest(args[0], w.url+args[1], strings.NewReader(body))
	ts.Check(err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Api-Key", didKey)
	answer, err := http.DefaultClient.Do(r)
	ts.Check(err)
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	fmt.Fprintf(ts.Stdout(), "%s\n", text)
	if (answer.StatusCode/100 != 2) != neg {
		ts.Fatalf("%s: status %d, body %s", args[1], answer.StatusCode, text)
	}
}

// cmdVault stores a secret of the stack, or looks at it: vault didit|webhook [TEXT]. The word
// TEXT "destination" stands for that of Didit's first destination.
func cmdVault(ts *testscript.TestScript, neg bool, args []string) {
	w := worldOf(ts)
	arn := map[string]string{"didit": didArn, "webhook": hookArn}[args[0]]
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(args) > 1 {
		w.secrets[arn] = args[1]
		return
	}
	if (w.secrets[arn] == "") != neg {
		ts.Fatalf("vault %s: stored %t, want %t", args[0], w.secrets[arn] != "", !neg)
	}
}

// cmdAgrees looks whether the stored webhook secret is that of Didit's first destination.
func cmdAgrees(ts *testscript.TestScript, neg bool, _ []string) {
	w := worldOf(ts)
	w.mu.Lock()
	stored, _ := didit.ParseWebhookSecret(w.secrets[hookArn])
	w.mu.Unlock()
	if is := stored != "" && stored == w.destinationSecrets()[0]; is == neg {
		ts.Fatalf("the stored secret is Didit's: %t, want %t", is, !neg)
	}
}

// destinationSecrets are those of all destinations, oldest first.
func (w *world) destinationSecrets() []string {
	c := (&site{diditURL: w.url}).client(didKey)
	all, _ := c.Destinations(context.Background())
	secrets := []string{}
	for _, d := range all {
		one, _ := c.Destination(context.Background(), d.ID)
		secrets = append(secrets, string(one.Secret))
	}
	return secrets
}

// cmdNoSecret looks for keys and webhook secrets in what the last command printed.
func cmdNoSecret(ts *testscript.TestScript, _ bool, _ []string) {
	w := worldOf(ts)
	text := ts.ReadFile("stdout") + ts.ReadFile("stderr")
	for _, secret := range append(w.destinationSecrets(), secretMarker) {
		if secret != "" && strings.Contains(text, secret) {
			ts.Fatalf("a secret was printed")
		}
	}
}

// cmdDestination changes Didit's first destination.
func cmdDestination(ts *testscript.TestScript, _ bool, args []string) {
	c := (&site{diditURL: worldOf(ts).url}).client(didKey)
	all, err := c.Destinations(context.Background())
	ts.Check(err)
	ts.Check(c.Do(context.Background(), http.MethodPatch, "/v3/webhook/destinations/"+all[0].ID+"/", json.RawMessage(args[0]), nil))
}

// cmdSet changes a stack: set NAME status=STATUS PARAMETER=VALUE...
func cmdSet(ts *testscript.TestScript, _ bool, args []string) {
	w := worldOf(ts)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, arg := range args[1:] {
		name, value, _ := strings.Cut(arg, "=")
		if name == "status" {
			w.stacks[args[0]].status = value
		} else {
			w.stacks[args[0]].parameters[name] = value
		}
	}
}

// cmdAllow ends refusals: allow OPERATION...
func cmdAllow(ts *testscript.TestScript, _ bool, args []string) {
	w := worldOf(ts)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, operation := range args {
		delete(w.refuse, operation)
	}
}

// cmdHook makes the webhook fail, or work again, or looks which statuses it has accepted: hook
// down|up, hook STATUS...
func cmdHook(ts *testscript.TestScript, _ bool, args []string) {
	w := worldOf(ts)
	ts.Check(w.didit.Settle(context.Background()))
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(args) == 1 && (args[0] == "down" || args[0] == "up") {
		w.down = args[0] == "down"
		return
	}
	if got := strings.Join(w.seen, ","); got != strings.Join(args, ",") {
		ts.Fatalf("the webhook has accepted %s, want %s", got, strings.Join(args, ","))
	}
}

// cmdReadme compares what the last command printed with the screen in a section of
// functions/README.md: readme HEADING. In the screen, … stands for anything, and what is typed is
// left out.
func cmdReadme(ts *testscript.TestScript, _ bool, args []string) {
	text, err := os.ReadFile(filepath.Join(worldOf(ts).repository, "functions", "README.md"))
	ts.Check(err)
	_, section, found := strings.Cut(string(text), "\n### "+args[0]+"\n")
	_, screen, hasScreen := strings.Cut(section, "```\n$ ")
	screen, _, _ = strings.Cut(screen, "```")
	if !found || !hasScreen {
		ts.Fatalf("functions/README.md has no screen under %s", args[0])
	}
	var want []string
	for _, line := range strings.Split(screen, "\n")[1:] {
		if !strings.Contains(line, " (hidden") {
			want = append(want, strings.NewReplacer("…", ".+", "https://", "https?://").Replace(regexp.QuoteMeta(line)))
		}
	}
	if got := ts.ReadFile("stdout"); !regexp.MustCompile(`^` + strings.Join(want, "\n") + `$`).MatchString(got) {
		ts.Fatalf("the screen under %s is not what was printed:\n%s", args[0], got)
	}
}

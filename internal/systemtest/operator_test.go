//go:build system

package systemtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/lambdatest"
)

// operator is an operator's world, which needs no Docker: moto plays CloudFormation, Secrets
// Manager, DynamoDB, EventBridge, SQS, CloudWatch and its logs, the built functions run under a
// Runtime API behind Lambda's address, and the simulator plays Didit.
type operator struct {
	*system
	functions map[string]*lambdatest.Function // by logical id, which is also their name
	webhook   string                          // URL
	tool      string                          // the built binary of internal/cmd/ops
	folder    string                          // with samconfig.toml, template.yaml and a stand-in for the SAM CLI
	printed   strings.Builder                 // all that the tool has printed
	ahead     atomic.Int64                    // nanoseconds; how far Didit's clock is ahead
}

const (
	stackName = "didit-sessions-dev"
	// secretMark is in every secret that the operator or Didit gives.
	secretMark = "not-to-be-seen"
	diditKey   = secretMark + "-didit-key"
)

// TestOperator tells an operator's whole story.
func TestOperator(t *testing.T) {
	t.Chdir("../..")
	o := startOperator(t)
	o.step(t, "deploy, as far as the change set", o.deploy)
	o.step(t, "connect", o.connect)
	o.step(t, "a session, without a person", o.session)
	o.step(t, "a rotation at Didit", o.rotation)
	o.step(t, "a lost delivery", o.lostDelivery)
	o.step(t, "no secret on a screen, in an argument, in a child's environment or in a log", o.searchSecrets)
}

func startOperator(t *testing.T) *operator {
	t.Helper()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	t.Cleanup(stop)
	ctx, cancel := context.WithTimeoutCause(ctx, maxDuration, fmt.Errorf("the run took longer than %v", maxDuration))
	t.Cleanup(cancel)
	o := &operator{
		system:    &system{ctx: ctx, dir: t.TempDir(), queues: map[string]string{}},
		functions: map[string]*lambdatest.Function{}, folder: t.TempDir(),
	}
	if err := errors.Join(os.MkdirAll(o.logs(), 0o755), os.MkdirAll(o.temporary(), 0o755)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.printLogs(t) })
	for _, name := range []string{"moto_server", "python"} {
		if _, err := os.Stat(tool(name)); err != nil {
			t.Fatalf("%s is missing in %s: make system installs it", name, *toolsFlag)
		}
	}
	for _, part := range []struct {
		name  string
		start func(*testing.T)
	}{
		{"ports", o.listen}, {"template.yaml, transformed", o.readTemplate}, {"the simulator and moto", o.startServers},
		{"the built functions and the operator's tool", o.buildAll}, {"the stack", o.makeStack}, {"the functions", o.startFunctions},
	} {
		begin := time.Now()
		part.start(t)
		t.Logf("%5.1f s  %s", time.Since(begin).Seconds(), part.name)
	}
	return o
}

func (o *operator) listen(t *testing.T) {
	for _, listener := range []*net.Listener{&o.routerListener, &o.diditListener, &o.containerListener} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		*listener = l
	}
	o.aws = awsClient{"http://" + o.routerListener.Addr().String()}
	o.webhook = "http://" + o.containerListener.Addr().String() + "/webhooks/didit"
}

func (o *operator) diditURL() string { return "http://" + o.diditListener.Addr().String() }

func (o *operator) startServers(t *testing.T) {
	o.didit = &didittest.Server{
		APIKey: diditKey, Sandbox: true, BaseURL: o.diditURL(), RetryWaits: []time.Duration{}, DeliveryTimeout: maxWait,
		WebhookTransport: courier{&http.Transport{DisableKeepAlives: true}},
		// The first status is on record before the next one is sent, on a busy machine too.
		ScenarioPause: 5 * time.Second,
		Now:           func() time.Time { return time.Now().Add(time.Duration(o.ahead.Load())) },
	}
	t.Cleanup(o.didit.Close)
	serve(t, o.diditListener, o.didit)
	p := o.launch(t, "moto", o.localEnv(nil), tool("moto_server"), "-H", "127.0.0.1", "-p", "0")
	moto, err := newRouter(p.waitURL(o.ctx, t), "")
	if err != nil {
		t.Fatal(err)
	}
	serve(t, o.routerListener, o.lambda(moto))
	serve(t, o.containerListener, http.HandlerFunc(o.gateway))
}

// operatorFunctions are those that the story needs, by their logical ids.
var operatorFunctions = map[string]string{
	"CreateSessionFunction": "createsession", "WebhookFunction": "webhook", "TrackStatusFunction": "trackstatus", "ReconcileFunction": "reconcile",
}

func (o *operator) buildAll(t *testing.T) {
	o.tool = filepath.Join(o.dir, "ops")
	if out, err := exec.CommandContext(o.ctx, "go", "build", "-o", o.tool, "./internal/cmd/ops").CombinedOutput(); err != nil {
		t.Fatalf("build the tool: %v: %s", err, out)
	}
	for _, name := range operatorFunctions {
		if err := lambdatest.Build(o.ctx, "./functions/"+name, filepath.Join(o.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"samconfig.toml", "template.yaml"} {
		text, err := os.ReadFile(name)
		if err == nil {
			err = os.WriteFile(filepath.Join(o.folder, name), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	// The stand-in records what it is called with. The stack is there already, so that the probes
	// after the deployment find it.
	const recorder = "#!/bin/sh\n{ echo \"$0 $*\"; env; } >> calls.log\n"
	for _, name := range []string{".venv/bin/sam", "bin/make"} {
		path := filepath.Join(o.folder, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(recorder), 0o755)); err != nil {
			t.Fatal(err)
		}
	}
}

// startFunctions runs the functions with the variables that the template gives them.
func (o *operator) startFunctions(t *testing.T) {
	variables := map[string]string{
		"DIDIT_SECRET_ID": o.secretARN("didit"), "DIDIT_WEBHOOK_SECRET_ID": o.secretARN("webhook"), "DIDIT_AUTH_URL": o.diditURL(),
		"DIDIT_API_URL": o.diditURL(), "WORKFLOW_IDS": workflow, "CALLER_AUTH": "iam", "TABLE_NAME": o.table, "EVENT_BUS_NAME": "EventBus",
		"STACK_NAME": stackName, "AWS_ENDPOINT_URL": o.aws.url, "AWS_REGION": region, "AWS_DEFAULT_REGION": region,
	}
	for id, name := range operatorFunctions {
		f, err := lambdatest.Start(o.ctx, lambdatest.Options{Binary: filepath.Join(o.dir, name), Name: id, Env: variables, Logs: &logFeed{o, id}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Stop() })
		o.functions[id] = f
	}
	o.startPump(t)
}

// ops runs a command of the tool, which must end with the status, and returns what it printed.
func (o *operator) ops(t *testing.T, status int, variables map[string]string, args ...string) string {
	t.Helper()
	add := map[string]string{
		"AWS_ENDPOINT_URL": o.aws.url, "AWS_REGION": region, "AWS_ACCESS_KEY_ID": accessKey, "AWS_SECRET_ACCESS_KEY": secretMark + "-aws-key",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "CI": "true", "HOME": o.dir,
		"PATH": filepath.Join(o.folder, "bin") + string(os.PathListSeparator) + os.Getenv("PATH"),
	}
	for name, value := range variables {
		add[name] = value
	}
	command := exec.CommandContext(o.ctx, o.tool, append(args, "-env", "default", "-dir", o.folder)...)
	command.Env = environ(func(name string) bool { return strings.HasPrefix(name, "AWS_") || strings.HasPrefix(name, "MAKE") }, add)
	out, err := command.CombinedOutput()
	o.printed.Write(out)
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	if got != status {
		t.Fatalf("%q: status %d, want %d; it printed:\n%s", args, got, status, out)
	}
	return string(out)
}

func want(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s: got\n%s\nwant %q in it", what, text, part)
		}
	}
}

func (o *operator) deploy(t *testing.T) {
	out := o.ops(t, 0, map[string]string{
		"DIDIT_API_KEY": diditKey, "DIDIT_API_URL": o.diditURL(), "WORKFLOW_IDS": workflow, "CALLER_AUTH": "iam",
	}, "deploy")
	want(t, "deploy", out, "4 functions start", "Next       make connect ENV=default")
	calls, err := os.ReadFile(filepath.Join(o.folder, "calls.log"))
	if err != nil {
		t.Fatal(err)
	}
	want(t, "calls", string(calls), "sam build\n", "sam deploy --config-env default --parameter-overrides ", "WorkflowIds="+`"`+workflow+`"`, `CallerAuth="iam"`)
}

func (o *operator) connect(t *testing.T) {
	if o.stored(t, "webhook") != "" {
		t.Fatal("the webhook's secret has a value before connect")
	}
	out := o.ops(t, 0, map[string]string{"DIDIT_API_KEY": diditKey}, "connect")
	want(t, "connect", out, "Destination      created, disabled: "+o.webhook, "Webhook secret   stored", "Probe            accepted by the function", "Deliveries       switched on")
	out = o.ops(t, 0, nil, "connect")
	want(t, "connect again", out, "Didit API key    unchanged, accepted", "Destination      unchanged", "Webhook secret   unchanged", "Deliveries       unchanged, on")
	o.putReconcileMetrics(t)
	want(t, "doctor", o.ops(t, 0, nil, "doctor"), "a signed probe is accepted", " 0 wrong, 0 not seen")
}

// session creates one by the scenario approve, and follows it into the table.
func (o *operator) session(t *testing.T) {
	out := o.ops(t, 0, map[string]string{"SCENARIO": "approve"}, "session")

	want(t, "session", out, "Not Started", "Approved        webhook ")
	sessions := o.didit.Sessions()
	if len(sessions) != 1 || sessions[0].Status != "Approved" {
		t.Fatalf("Didit has the sessions %+v, want one that is approved", sessions)
	}
	o.eventuallyStatus(t, sessions[0].ID, "Approved")
}

func (o *operator) rotation(t *testing.T) {
	if err := o.didit.RotateWebhookSecret(secretMark + "-rotated-secret-of-43-characters-00"); err != nil {
		t.Fatal(err)
	}
	out := o.ops(t, 1, nil, "doctor")
	want(t, "doctor after a rotation", out, "FAIL Webhook", "it was rotated at Didit", "make connect ENV=default", " 1 wrong, 0 not seen")
	// Nothing is refused in the meantime.
	id := o.didit.Sessions()[0].ID
	o.setStatus(t, id, "In Review")
	o.eventuallyStatus(t, id, "In Review")
	out = o.ops(t, 0, nil, "connect")
	want(t, "connect after a rotation", out, "Webhook secret   stored", "Probe            accepted by the function")
	want(t, "doctor", o.ops(t, 0, nil, "doctor"), " 0 wrong, 0 not seen")
}

func (o *operator) lostDelivery(t *testing.T) {
	id := o.didit.Sessions()[0].ID
	o.didit.Misdeliver(didittest.SendNever, 1)
	o.setStatus(t, id, "Declined")
	if got := o.statusOf(t, id); got != "In Review" {
		t.Fatalf("the table has the status %q, want that before the lost delivery", got)
	}
	want(t, "doctor", o.ops(t, 0, nil, "doctor"), "deliveries failed in 30 days", "make replay ENV=default SINCE=30d")
	out := o.ops(t, 0, nil, "replay")
	want(t, "replay", out, id+"  Declined      accepted", "1 event sent again, 1 of them accepted.")
	o.eventuallyStatus(t, id, "Declined")
	want(t, "replay again", o.ops(t, 0, nil, "replay"), "Nothing to send again")
}

// setStatus changes the status at Didit and waits for the delivery. It happens in a later second
// than all before: of two events of one second, the one with a final status would stand.
func (o *operator) setStatus(t *testing.T, id, status string) {
	t.Helper()
	o.ahead.Add(int64(time.Second))
	if err := errors.Join(o.didit.SetStatus(id, status), o.didit.Settle(o.ctx)); err != nil {
		t.Fatal(err)
	}
}

func (o *operator) searchSecrets(t *testing.T) {
	calls, err := os.ReadFile(filepath.Join(o.folder, "calls.log"))
	if err != nil {
		t.Fatal(err)
	}
	// The children need AWS credentials.
	texts := map[string]string{"the screen": o.printed.String(), "arguments and environments": strings.ReplaceAll(string(calls), secretMark+"-aws-key", "")}
	for id, f := range o.functions {
		texts["the log of "+id] = string(f.Logs())
	}
	var secrets []string
	for _, name := range []string{"didit", "webhook"} {
		var values map[string]string
		if err := json.Unmarshal([]byte(o.stored(t, name)), &values); err != nil {
			t.Fatal(err)
		}
		for _, value := range values {
			secrets = append(secrets, value)
		}
	}
	if slices.Contains(secrets, "") || len(secrets) != 2 {
		t.Fatalf("%d secrets are stored, want 2", len(secrets))
	}
	for name, text := range texts {
		for _, secret := range append(secrets, secretMark) {
			if strings.Contains(text, secret) {
				t.Errorf("%s has a secret in it", name)
			}
		}
	}
}

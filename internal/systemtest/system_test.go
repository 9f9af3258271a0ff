//go:build system

// Package systemtest tests the product on third-party components: the SAM CLI runs the built
// functions in containers, moto's server plays Secrets Manager, EventBridge, SQS and Step
// Functions, DynamoDB Local the table, and this module's simulator plays Didit.
//
//	make system
//
// TestOperator runs the built functions without containers, and the operator's tool beside them.
//
// It needs Docker and the tools that the Makefile puts into .venv and .cache. A step that fails
// says what was expected and what came. Everything that was started is stopped again, on an
// interrupt too.
package systemtest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/lambdatest"
)

// The paths are relative to the module's root.
var (
	baseFlag   = flag.String("base", "", "`image` that the functions run in (default: one made of busybox where that is installed, else Amazon's)")
	toolsFlag  = flag.String("tools", ".venv/bin", "`folder` with sam, moto_server and python")
	dynamoFlag = flag.String("dynamodb-local", ".cache/dynamodb-local", "`folder` with the jars of DynamoDB Local; without them moto plays the table")
)

// maxDuration ends a run that hangs, but not the stop of what it started. No step is expected to
// come near it, not even on a busy machine: an ordinary run takes one to three minutes.
const maxDuration = 30 * time.Minute

const (
	// hostName is the name of this machine in containers. Docker Desktop sets it; on Linux it is
	// given to each container.
	hostName  = "host.docker.internal"
	accessKey = "system"
	workflow  = "11111111-2222-3333-4444-555555555555"
	// region and account are where everything happens; the account is moto's own.
	region  = "us-east-1"
	account = "123456789012"
)

// system is everything that runs, and what the steps know of it.
type system struct {
	ctx       context.Context // ends on an interrupt, and after maxDuration
	dir       string          // for files of this run, under .aws-sam
	image     string          // name of the image that functions run in
	authority *lambdatest.Authority
	template  template
	didit     *didittest.Server

	routerListener, containerListener, diditListener net.Listener

	aws    awsClient // of the router
	router *router
	apiURL string // where sam local start-api answers

	table        string            // its name
	stateMachine string            // ARN of the one that is shipped
	executions   int               // that were started
	queues       map[string]string // URLs of queues, by the rules that fill them
	pump         *pump
}

// TestSystem starts everything and takes every step.
func TestSystem(t *testing.T) {
	t.Chdir("../..")
	s := start(t)
	t.Run("table", s.testTable)
	t.Run("gateway", s.testGateway)
	t.Run("events", s.testRecordedEvents)
	t.Run("webhook", s.testWebhook)
	t.Run("status", s.testStatus)
	t.Run("workflow", s.testWorkflow)
	t.Run("documented workflows", s.testDocumentedWorkflows)
	t.Run("reconcile", s.testReconcile)
	t.Run("erase", s.testErase)
	s.step(t, "the functions' logs hold no secret, URL or address", s.searchLogs)
}

// step runs a subtest, unless the run is over.
func (s *system) step(t *testing.T, name string, f func(*testing.T)) {
	t.Helper()
	if s.ctx.Err() != nil {
		t.Fatal(context.Cause(s.ctx))
	}
	t.Run(name, f)
}

// start starts the system for the time of the test. Without it there is nothing to test, so any
// failure ends the test.
func start(t *testing.T) *system {
	t.Helper()
	root, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	t.Cleanup(stop)
	ctx, cancel := context.WithTimeoutCause(ctx, maxDuration, fmt.Errorf("the run took longer than %v", maxDuration))
	t.Cleanup(cancel)
	s := &system{
		ctx: ctx, dir: filepath.Join(root, ".aws-sam", "system"),
		image:  "didit-sessions-system-" + strconv.FormatInt(time.Now().UnixNano(), 36),
		queues: make(map[string]string),
	}
	requireTools(ctx, t)
	for _, part := range []struct {
		name  string
		start func(*testing.T)
	}{
		{"ports and certificates", s.listen},
		{"template.yaml, transformed", s.readTemplate},
		{"sam build of every function for this machine", s.build},
		{"an image to run them in", s.makeImage},
		{"the simulator, moto and " + tableServer(), s.startUpstream},
		{"the template's table, secrets, bus, rule and state machine", s.makeResources},
		{"sam local start-lambda and start-api", s.startSAM},
	} {
		begin := time.Now()
		part.start(t)
		t.Logf("%5.1f s  %s", time.Since(begin).Seconds(), part.name)
	}
	return s
}

// requireTools ends the test when something is missing on this machine.
func requireTools(ctx context.Context, t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("docker"); err != nil {
		t.Fatal("Docker is missing: https://docs.docker.com/get-docker")
	}
	if err := exec.CommandContext(ctx, "docker", "version", "--format", "{{.Server.Version}}").Run(); err != nil {
		t.Fatal("Docker does not run: its daemon does not answer")
	}
	for _, name := range []string{"sam", "moto_server", "python"} {
		if _, err := os.Stat(tool(name)); err != nil {
			t.Fatalf("%s is missing in %s: make system installs it", name, *toolsFlag)
		}
	}
}

// listen opens the ports that must be known beforehand.
func (s *system) listen(t *testing.T) {
	err := errors.Join(os.RemoveAll(s.dir), os.MkdirAll(s.logs(), 0o755), os.MkdirAll(s.temporary(), 0o755))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.printLogs(t) })
	if s.authority, err = lambdatest.NewAuthority("system test"); err != nil {
		t.Fatal(err)
	}
	address := s.containerAddress(t)
	for listener, address := range map[*net.Listener]string{
		&s.routerListener: "127.0.0.1", &s.containerListener: address, &s.diditListener: address,
	} {
		l, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		*listener = l
	}
	s.aws = awsClient{"http://" + s.routerListener.Addr().String()}
}

func port(l net.Listener) string { return strconv.Itoa(l.Addr().(*net.TCPAddr).Port) }

// containerURL is the URL of a listener for containers.
func containerURL(scheme string, l net.Listener) string {
	return scheme + "://" + net.JoinHostPort(hostName, port(l))
}

// serve serves for the time of the test.
func serve(t *testing.T, l net.Listener, h http.Handler) {
	server := &http.Server{Handler: h, ReadHeaderTimeout: maxWait}
	t.Cleanup(func() { _ = server.Close() })
	go func() { _ = server.Serve(l) }()
}

// temporary is where the SAM CLI leaves files of its own.
func (s *system) temporary() string { return filepath.Join(s.dir, "tmp") }
func (s *system) logs() string      { return filepath.Join(s.dir, "logs") }
func tool(name string) string       { return filepath.Join(*toolsFlag, name) }

// toolEnv is the environment of the Python tools. What make passes to its children is not for the
// make that SAM starts.
func (s *system) toolEnv() []string {
	drop := func(name string) bool {
		return strings.HasPrefix(name, "MAKE") || name == "MFLAGS" || name == "GOOS" || name == "GOARCH"
	}
	return environ(drop, map[string]string{"SAM_CLI_TELEMETRY": "0", "LAMBDA_GOARCH": runtime.GOARCH, "AWS_DEFAULT_REGION": region})
}

// localEnv is the environment of what plays AWS: with credentials that open nothing, and without
// the variables that functions have too, which the SAM CLI would pass on.
func (s *system) localEnv(further map[string]string) []string {
	variables := s.template.variables()
	add := map[string]string{
		"SAM_CLI_TELEMETRY": "0",
		// How long the SAM CLI waits for a container that starts, in seconds.
		"SAM_CLI_CONTAINER_CONNECTION_TIMEOUT": strconv.Itoa(int(maxWait.Seconds())),
		"AWS_ACCESS_KEY_ID":                    accessKey, "AWS_SECRET_ACCESS_KEY": accessKey,
		"AWS_REGION": region, "AWS_DEFAULT_REGION": region,
		// The SAM CLI asks for the account.
		"AWS_ENDPOINT_URL_STS": s.aws.url,
		"TMPDIR":               s.temporary(),
		"AWS_CONFIG_FILE":      os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
	}
	maps.Copy(add, further)
	return environ(func(name string) bool { return variables[name] || strings.HasPrefix(name, "AWS_") }, add)
}

// build builds what is deployed, but for this machine.
func (s *system) build(t *testing.T) {
	_, err := runCommand(s.ctx, s.toolEnv(), tool("sam"), "build", "--build-in-source", "--parallel",
		"--template", filepath.Join(s.dir, "template.json"), "--base-dir", ".", "--build-dir", filepath.Join(s.dir, "build"))
	if err != nil {
		t.Fatal(err)
	}
}

// printLogs logs the end of each log of a test that failed.
func (s *system) printLogs(t *testing.T) {
	if !t.Failed() {
		return
	}
	files, _ := filepath.Glob(filepath.Join(s.logs(), "*.log"))
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil {
			t.Logf("end of %s:\n%s", file, lastLines(string(text), 40))
		}
	}
}

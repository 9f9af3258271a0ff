//go:build system

package systemtest

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"didit-sessions/internal/didit/didittest"
)

// startUpstream starts what the functions call.
func (s *system) startUpstream(t *testing.T) {
	s.startDidit(t)
	p := s.launch(t, "moto", s.localEnv(map[string]string{"MOTO_PORT": port(s.routerListener)}),
		tool("python"), "internal/systemtest/moto_server.py", "-H", "127.0.0.1", "-p", "0")
	moto := p.waitURL(s.ctx, t)
	table := ""
	if hasDynamoDBLocal() {
		table = s.startDynamoDBLocal(t, "dynamodb")
	}
	var err error
	if s.router, err = newRouter(moto, table); err != nil {
		t.Fatal(err)
	}
	serve(t, s.routerListener, s.router)
	serve(t, s.containerListener, s.router)
	s.runStateMachines(t, moto)
}

// startDidit starts the simulator. Its deliveries are retried by [courier] alone.
func (s *system) startDidit(t *testing.T) {
	t.Helper()
	s.didit = &didittest.Server{
		BaseURL:    containerURL("https", s.diditListener),
		RetryWaits: []time.Duration{}, DeliveryTimeout: maxWait, WebhookTransport: courier{&http.Transport{DisableKeepAlives: true}},
	}
	t.Cleanup(s.didit.Close)
	certificate, err := s.authority.Issue(hostName)
	if err != nil {
		t.Fatal(err)
	}
	serve(t, tls.NewListener(s.diditListener, &tls.Config{Certificates: []tls.Certificate{certificate}}), s.didit)
}

// runStateMachines makes moto interpret state machines, which it does not by default.
func (s *system) runStateMachines(t *testing.T, moto string) {
	t.Helper()
	r, err := http.NewRequestWithContext(s.ctx, http.MethodPost, moto+"/moto-api/config",
		strings.NewReader(`{"stepfunctions":{"execute_state_machine":true}}`))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := exchange(http.DefaultClient, r)
	if err != nil || answer.status != http.StatusCreated && answer.status != http.StatusOK {
		t.Fatalf("moto's configuration: status %d, %v: %s", answer.status, err, answer.body)
	}
}

// startSAM starts both of the SAM CLI's servers, which run the functions.
func (s *system) startSAM(t *testing.T) {
	started := map[string]*process{}
	for _, command := range []string{"start-lambda", "start-api"} {
		args := append([]string{"local", command, "--host", "127.0.0.1", "--port", "0", "--warm-containers", "LAZY"}, s.samFlags()...)
		started[command] = s.launch(t, command, s.localEnv(nil), tool("sam"), args...)
	}
	s.router.setLambda(started["start-lambda"].waitURL(s.ctx, t))
	s.apiURL = started["start-api"].waitURL(s.ctx, t)
	if err := s.didit.SetWebhook(s.apiURL+"/webhooks/didit", "", ""); err != nil {
		t.Fatal(err)
	}
}

// samFlags are common to all that the SAM CLI runs.
func (s *system) samFlags() []string {
	return []string{"--template", filepath.Join(s.dir, "build", "template.yaml"), "--region", region,
		"--skip-pull-image", "--invoke-image", s.image, "--add-host", hostName + ":host-gateway"}
}

// tableServer is the name of what plays the table.
func tableServer() string {
	if hasDynamoDBLocal() {
		return "DynamoDB Local"
	}
	return "moto's table"
}

// hasDynamoDBLocal reports whether a JDK and the jars are there.
func hasDynamoDBLocal() bool {
	jars, _ := filepath.Glob(filepath.Join(*dynamoFlag, "DynamoDBLocal-*.jar"))
	_, err := exec.LookPath("javac")
	return err == nil && len(jars) > 0
}

// startDynamoDBLocal returns the URL of a new DynamoDB Local.
func (s *system) startDynamoDBLocal(t *testing.T, name string) (url string) {
	t.Helper()
	p := s.launch(t, name, s.localEnv(nil), "java", "-Djava.library.path="+*dynamoFlag,
		"-cp", filepath.Join(*dynamoFlag, "*"), "internal/systemtest/LoopbackDynamoDB.java",
		"-inMemory", "-sharedDb", "-disableTelemetry")
	url = p.waitURL(s.ctx, t)
	if err := (awsClient{url}).call(s.ctx, dynamodb, "ListTables", struct{}{}, nil); err != nil {
		t.Fatal("DynamoDB Local:", err)
	}
	return url
}

// testTable runs the conformance tests of our table and of its fake on DynamoDB Local. It is one of
// its own, because the tests make tables.
func (s *system) testTable(t *testing.T) {
	if !hasDynamoDBLocal() {
		t.Skip("DynamoDB Local needs a JDK, and Maven to fetch it")
	}
	env := append(os.Environ(), "DYNAMODB_ENDPOINT="+s.startDynamoDBLocal(t, "dynamodb-conformance"))
	for _, pkg := range []string{"./internal/aws/table", "./internal/awsfake/dynamodb"} {
		s.step(t, pkg, func(t *testing.T) {
			out, err := runCommand(s.ctx, env, "go", "test", "-count=1", "-v", "-run", "_endpoint$", pkg)
			if err != nil || !strings.Contains(out, "\n--- PASS: Test") || strings.Contains(out, "--- SKIP") {
				t.Fatal(fmt.Errorf("%s, %w", lastLines(out, 60), err))
			}
		})
	}
}

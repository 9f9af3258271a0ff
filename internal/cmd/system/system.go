package main

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/lambdatest"
)

const (
	// inside is the name of this machine in containers, as Docker Desktop has it; on Linux it is given.
	inside    = "host.docker.internal"
	accessKey = "system"
	workflow  = "11111111-2222-3333-4444-555555555555"
)

// system is everything that runs, and what the steps know of it.
type system struct {
	options   options
	report    *report
	dir       string // for files of this run, under .aws-sam
	image     string // name of the image that functions run in
	authority *lambdatest.Authority
	template  template
	didit     *didittest.Server

	inside, diditInside int // ports at which containers find the router and the simulator

	routerListener, insideListener, diditListener net.Listener

	aws    aws // the router
	routes *router
	api    string // where sam local start-api answers

	machine    string // ARN of the state machine as it is shipped
	executions int    // that were started
	queues     map[string]string
	tracker    *pump

	servers   []*http.Server
	processes []*process
}

func newSystem(o options, r *report) *system {
	folder, err := os.Getwd()
	if err != nil {
		folder = "." // good for all but the SAM CLI's own files
	}
	return &system{
		options: o, report: r, dir: filepath.Join(folder, ".aws-sam", "system"),
		image:  "didit-sessions-system-" + strconv.FormatInt(time.Now().UnixNano(), 36),
		queues: make(map[string]string),
	}
}

// listen opens the ports that the template and the others need to know beforehand.
func (s *system) listen(ctx context.Context) error {
	if err := errors.Join(os.RemoveAll(s.dir), os.MkdirAll(s.logs(), 0o755), os.MkdirAll(s.temporary(), 0o755)); err != nil {
		return err
	}
	var err error
	if s.authority, err = lambdatest.NewAuthority("system test"); err != nil {
		return err
	}
	if s.routerListener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return err
	}
	if s.insideListener, err = listenInside(ctx); err != nil {
		return err
	}
	if s.diditListener, err = listenInside(ctx); err != nil {
		return err
	}
	s.aws = aws{"http://" + s.routerListener.Addr().String()}
	s.inside, s.diditInside = portOf(s.insideListener), portOf(s.diditListener)
	return nil
}

func portOf(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }

// insideURL is where containers find a port of this machine.
func (s *system) insideURL(scheme string, port int) string {
	return scheme + "://" + net.JoinHostPort(inside, strconv.Itoa(port))
}

// parameters are those of the stack.
func (s *system) parameters() map[string]string {
	didit := s.insideURL("https", s.diditInside)
	return map[string]string{
		"WorkflowIds": workflow, "AllowedCallbacks": "https://example.com/verification",
		"DiditAuthUrl": didit, "DiditApiUrl": didit,
		"CallerAuth": "jwt", "JwtIssuer": "https://issuer.example.com", "JwtAudience": "app",
		"DeployStateMachine": "yes", "DeployGetDecision": "yes",
	}
}

// temporary is where the SAM CLI leaves files of its own.
func (s *system) temporary() string       { return filepath.Join(s.dir, "tmp") }
func (s *system) logs() string            { return filepath.Join(s.dir, "logs") }
func (s *system) tool(name string) string { return filepath.Join(s.options.tools, name) }

// toolEnv is the environment of the tools of Python. What make tells its own children is not for the
// one that SAM starts.
func (s *system) toolEnv() []string {
	drop := func(name string) bool {
		return strings.HasPrefix(name, "MAKE") || name == "MFLAGS" || name == "GOOS" || name == "GOARCH"
	}
	return environ(drop, map[string]string{"SAM_CLI_TELEMETRY": "0", "LAMBDA_GOARCH": runtime.GOARCH, "AWS_DEFAULT_REGION": region})
}

// localEnv is the environment of what plays AWS: with credentials that open nothing, and without the variables
// that functions have too, which the SAM CLI would take from it.
func (s *system) localEnv(further map[string]string) []string {
	variables := s.template.variables()
	add := map[string]string{
		"SAM_CLI_TELEMETRY": "0",
		// How long the SAM CLI waits for a container that starts, in seconds.
		"SAM_CLI_CONTAINER_CONNECTION_TIMEOUT": strconv.Itoa(int(soon.Seconds())),
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
func (s *system) build(ctx context.Context) error {
	_, err := runCommand(ctx, s.toolEnv(), nil, s.tool("sam"), "build", "--build-in-source", "--parallel",
		"--template", filepath.Join(s.dir, "template.json"), "--base-dir", ".", "--build-dir", filepath.Join(s.dir, "build"))
	return err
}

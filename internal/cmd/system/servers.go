package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"time"

	"didit-sessions/internal/didit/didittest"
)

// serve serves until stop.
func (s *system) serve(l net.Listener, h http.Handler) {
	server := &http.Server{Handler: h, ReadHeaderTimeout: soon}
	s.servers = append(s.servers, server)
	go func() { _ = server.Serve(l) }()
}

// launch runs a server and does not wait.
func (s *system) launch(name string, env []string, command string, args ...string) (*process, error) {
	p, err := startProcess(s.logs(), name, env, command, args...)
	if err == nil {
		s.processes = append(s.processes, p)
	}
	return p, err
}

// startUpstream starts what the functions call.
func (s *system) startUpstream(ctx context.Context) error {
	s.didit = &didittest.Server{
		BaseURL:    s.insideURL("https", s.diditInside),
		RetryWaits: []time.Duration{}, DeliveryTimeout: soon, WebhookTransport: courier{&http.Transport{DisableKeepAlives: true}},
	}
	certificate, err := s.authority.Issue(inside)
	if err != nil {
		return err
	}
	s.serve(tls.NewListener(s.diditListener, &tls.Config{Certificates: []tls.Certificate{certificate}}), s.didit)
	p, err := s.launch("moto", s.localEnv(map[string]string{"MOTO_PORT": strconv.Itoa(portOf(s.routerListener))}),
		s.tool("moto_server"), "-H", "127.0.0.1", "-p", "0")
	if err != nil {
		return err
	}
	moto, err := p.announced(ctx)
	if err != nil {
		return err
	}
	table := ""
	if s.hasDynamoDBLocal() {
		if table, err = s.startDynamoDBLocal(ctx); err != nil {
			return err
		}
	}
	if s.routes, err = newRouter(moto, table); err != nil {
		return err
	}
	s.serve(s.routerListener, s.routes)
	s.serve(s.insideListener, s.routes)
	return s.runStateMachines(ctx, moto)
}

// startSAM lets the SAM CLI run the functions behind both of its servers.
func (s *system) startSAM(ctx context.Context) error {
	commands := []string{"start-lambda", "start-api"}
	started := make([]*process, len(commands))
	for i, command := range commands {
		args := append([]string{"local", command, "--host", "127.0.0.1", "--port", "0", "--warm-containers", "LAZY"}, s.samFlags()...)
		var err error
		if started[i], err = s.launch(command, s.localEnv(nil), s.tool("sam"), args...); err != nil {
			return err
		}
	}
	lambda, err := started[0].announced(ctx)
	if err != nil {
		return err
	}
	if s.api, err = started[1].announced(ctx); err != nil {
		return err
	}
	s.routes.setLambda(lambda)
	return s.didit.SetWebhook(s.api+"/webhooks/didit", "", "")
}

// samFlags are common to all that the SAM CLI runs.
func (s *system) samFlags() []string {
	return []string{"--template", filepath.Join(s.dir, "build", "template.yaml"), "--region", region,
		"--skip-pull-image", "--invoke-image", s.image, "--add-host", inside + ":host-gateway"}
}

// stop ends everything, the latest first, and returns the logs that were written.
func (s *system) stop() (logs []string) {
	if s.tracker != nil {
		s.tracker.stop()
	}
	for i := len(s.processes) - 1; i >= 0; i-- {
		logs = append(logs, s.processes[i].log)
		s.processes[i].stop()
	}
	if s.didit != nil {
		s.didit.Close()
	}
	for _, server := range s.servers {
		_ = server.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s.removeImages(ctx)
	return logs
}

// judge is who plays the table.
func (s *system) judge() string {
	if s.hasDynamoDBLocal() {
		return "DynamoDB Local"
	}
	return "moto's table"
}

// hasDynamoDBLocal reports whether Java and the jars are there.
func (s *system) hasDynamoDBLocal() bool {
	jars, _ := filepath.Glob(filepath.Join(s.options.dynamo, "DynamoDBLocal-*.jar"))
	_, err := lookJava()
	return err == nil && len(jars) > 0
}

// startDynamoDBLocal returns where it answers. It takes no port 0, so it gets a port that was free
// a moment ago, out of those that systems give to no process by themselves. It ends where another
// process was faster, and is started again at another port then.
func (s *system) startDynamoDBLocal(ctx context.Context) (url string, err error) {
	java, err := lookJava()
	if err != nil {
		return "", err
	}
	const attempts = 10
	for range attempts {
		var port int
		if port, err = freePort(); err != nil {
			return "", err
		}
		url = "http://127.0.0.1:" + strconv.Itoa(port)
		var p *process
		if p, err = s.launch("dynamodb", s.localEnv(nil), java, "-Djava.library.path="+s.options.dynamo,
			"-cp", filepath.Join(s.options.dynamo, "*"), "com.amazonaws.services.dynamodbv2.local.main.ServerRunner",
			"-inMemory", "-sharedDb", "-disableTelemetry", "-port", strconv.Itoa(port)); err != nil {
			return "", err
		}
		err = p.poll(ctx, func(ctx context.Context) error {
			return aws{url}.call(ctx, dynamodb, "ListTables", struct{}{}, nil)
		})
		if !errors.Is(err, errEnded) {
			break
		}
	}
	if err != nil {
		return "", fmt.Errorf("DynamoDB Local: %w", err)
	}
	return url, nil
}

// freePort is a port below those that systems choose for port 0: from 32768 on Linux, from 49152
// elsewhere.
func freePort() (int, error) {
	const lowest, count, attempts = 20000, 10000, 100
	var err error
	for range attempts {
		port := lowest + rand.IntN(count)
		var l net.Listener
		if l, err = net.Listen("tcp", ":"+strconv.Itoa(port)); err == nil {
			return port, l.Close()
		}
	}
	return 0, err
}

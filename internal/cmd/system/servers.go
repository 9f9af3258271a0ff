package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"didit-sessions/internal/didit/didittest"
)

// serve serves until stop.
func (s *system) serve(l net.Listener, h http.Handler) {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	s.servers = append(s.servers, server)
	go func() { _ = server.Serve(l) }()
}

// start runs a server and waits until it answers at the URL.
func (s *system) start(ctx context.Context, url, name string, env []string, command string, args ...string) error {
	p, err := s.launch(name, env, command, args...)
	if err != nil {
		return err
	}
	return p.ready(ctx, url)
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
	ports, err := freePorts(4)
	if err != nil {
		return err
	}
	moto, table := loopback(ports[0]), ""
	s.lambda, s.api = loopback(ports[2]), loopback(ports[3])
	s.didit = &didittest.Server{
		BaseURL: s.insideURL("https", s.diditInside), WebhookURL: s.api + "/webhooks/didit", RetryWaits: []time.Duration{},
	}
	certificate, err := s.authority.Issue(inside)
	if err != nil {
		return err
	}
	s.serve(tls.NewListener(s.diditListener, &tls.Config{Certificates: []tls.Certificate{certificate}}), s.didit)
	if err := s.start(ctx, moto, "moto", s.localEnv(map[string]string{"MOTO_PORT": strconv.Itoa(portOf(s.routerListener))}),
		s.tool("moto_server"), "-H", "127.0.0.1", "-p", strconv.Itoa(ports[0])); err != nil {
		return err
	}
	if s.hasDynamoDBLocal() {
		table = loopback(ports[1])
		if err := s.startDynamoDBLocal(ctx, table, ports[1]); err != nil {
			return err
		}
	}
	routes, err := newRouter(moto, table, s.lambda)
	if err != nil {
		return err
	}
	s.serve(s.routerListener, routes)
	s.serve(s.insideListener, routes)
	return s.runStateMachines(ctx, moto)
}

func loopback(port int) string { return "http://127.0.0.1:" + strconv.Itoa(port) }

// startSAM lets the SAM CLI run the functions behind both of its servers.
func (s *system) startSAM(ctx context.Context) error {
	servers := []struct{ command, url string }{{"start-lambda", s.lambda}, {"start-api", s.api}}
	started := make([]*process, len(servers))
	for i, server := range servers {
		_, port, err := net.SplitHostPort(strings.TrimPrefix(server.url, "http://"))
		if err != nil {
			return err
		}
		args := append([]string{"local", server.command, "--host", "127.0.0.1", "--port", port, "--warm-containers", "LAZY"}, s.samFlags()...)
		if started[i], err = s.launch(server.command, s.localEnv(nil), s.tool("sam"), args...); err != nil {
			return err
		}
	}
	for i, server := range servers {
		if err := started[i].ready(ctx, server.url); err != nil {
			return err
		}
	}
	return nil
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
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s.removeImages(ctx)
	return logs
}

// freePorts are ports that nobody uses now, all different.
func freePorts(n int) ([]int, error) {
	ports := make([]int, n)
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		// Held until all are found.
		defer func() { _ = l.Close() }()
		ports[i] = portOf(l)
	}
	return ports, nil
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

func (s *system) startDynamoDBLocal(ctx context.Context, url string, port int) error {
	java, err := lookJava()
	if err != nil {
		return err
	}
	if err := s.start(ctx, url, "dynamodb", s.localEnv(nil), java, "-Djava.library.path="+s.options.dynamo,
		"-cp", filepath.Join(s.options.dynamo, "*"), "com.amazonaws.services.dynamodbv2.local.main.ServerRunner",
		"-inMemory", "-sharedDb", "-disableTelemetry", "-port", strconv.Itoa(port)); err != nil {
		return fmt.Errorf("DynamoDB Local: %w", err)
	}
	return nil
}

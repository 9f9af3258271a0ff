// Command system tests the product on parts that others wrote: the SAM CLI runs the built functions in
// containers, moto's server plays Secrets Manager, EventBridge, SQS and Step Functions, DynamoDB Local
// the table, and the simulator of this module plays Didit.
//
//	go run ./internal/cmd/system
//
// It needs Docker, and the tools that the Makefile puts into .venv and .cache. It prints a line for
// each step, and what was expected and what came where a step fails. It exits with 0 when every step passed,
// with 1 when one failed or took too long, and with 2 when a tool is missing. What it started is stopped
// again in any case.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

const (
	exitPassed  = 0
	exitFailed  = 1
	exitMissing = 2
)

// limit ends a run that hangs, but not the stop of what it started. No step is expected to come
// near it, on a busy machine either: an ordinary run takes one to three minutes.
const limit = 30 * time.Minute

// options are what the command line says.
type options struct {
	base    string // image that the functions run in; empty: one that is made here, or Amazon's
	tools   string // folder with the tools of Python
	dynamo  string // folder with the jars of DynamoDB Local; where it is missing, moto plays the table
	verbose bool
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var o options
	flags := flag.NewFlagSet("system", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.base, "base", "", "`image` that the functions run in (default: one made of busybox where that is installed, else Amazon's)")
	flags.StringVar(&o.tools, "tools", ".venv/bin", "`folder` with sam, moto_server and python")
	flags.StringVar(&o.dynamo, "dynamodb-local", ".cache/dynamodb-local", "`folder` with the jars of DynamoDB Local")
	flags.BoolVar(&o.verbose, "v", false, "print the ends of all logs, also when nothing failed")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return exitPassed
	case err != nil || flags.NArg() > 0:
		return exitMissing
	}
	if err := check(ctx, o); err != nil {
		fmt.Fprintln(stderr, "system:", err)
		return exitMissing
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("the run took longer than %v", limit))
	defer cancel()
	r := &report{out: stdout, begin: time.Now()}
	s := newSystem(o, r)
	s.test(ctx)
	logs := s.stop()
	if r.failed > 0 && !r.ended || o.verbose {
		printLogs(stdout, logs)
	}
	return r.close()
}

// test starts everything and takes every step. Without a system there is nothing to test, so a step
// that builds it ends the run when it fails.
func (s *system) test(ctx context.Context) {
	for _, build := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"ports and certificates for this run", s.listen},
		{"template.yaml is transformed", s.readTemplate},
		{"sam build builds every function for this machine", s.build},
		{"an image to run them in", s.makeImage},
		{"the simulator, moto and " + s.judge() + " answer", s.startUpstream},
		{"the template's table, secrets, bus and rule are made", s.makeResources},
		{"sam local start-lambda and start-api answer", s.startSAM},
	} {
		if !s.report.step(ctx, build.name, build.do) {
			return
		}
	}
	s.testAPI(ctx)
	s.testEvents(ctx)
	s.testWebhook(ctx)
	s.testGet(ctx)
	s.testWorkflow(ctx)
	s.testReconcile(ctx)
	s.report.step(ctx, "the functions' logs hold no secret, URL or address", s.searchLogs)
}

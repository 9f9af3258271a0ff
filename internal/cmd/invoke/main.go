// Command invoke runs one function of this module on one event on this machine: the binary as it
// ships, under a Runtime API, with the Didit simulator and fakes of the AWS services that it calls
// on loopback. It needs no Docker, no AWS account and no Didit account. If the event is about a
// session, Didit knows that session, and it has a record with the status Not Started. For
// getdecision it is Approved at Didit.
//
//	go run ./internal/cmd/invoke -event events/createsession-http-minimal.json
//
// The first word of the file's name is the function, unless -function names another one.
//
// It prints the answer, the function's log, and how often each service was called. The exit code is
// 0 if the function answered, also with a refusal; 1 if it crashed, timed out or could not be
// built; 2 for a wrong command line.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"didit-sessions/internal/lambdatest"
	"didit-sessions/internal/stage"
	"didit-sessions/internal/verification"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

const (
	exitAnswered = 0
	exitFailed   = 1
	exitUsage    = 2
)

// errNoAnswer means that the function failed, which the output explains.
var errNoAnswer = errors.New("the function gave no answer")

// call is what the command line asks for.
type call struct {
	function string
	event    event
	env      map[string]string
	apiKey   bool
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c, err := parse(ctx, args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitAnswered
	case err != nil:
		return exitUsage
	}
	switch err := c.run(ctx, stdout); err {
	case nil:
		return exitAnswered
	case errNoAnswer:
	default:
		fmt.Fprintln(stderr, "invoke:", err)
	}
	return exitFailed
}

// parse reads the command line and the event file. It prints an error to stderr before it returns
// it.
func parse(ctx context.Context, args []string, stderr io.Writer) (call, error) {
	c := call{env: make(map[string]string)}
	flags := flag.NewFlagSet("invoke", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&c.function, "function", "", "`name` of a directory under functions/; by default the first word of the event's file name")
	file := flags.String("event", "", "`file` with the JSON payload, such as those in events/")
	flags.BoolVar(&c.apiKey, "api-key", false, "store an API key in the secret instead of client credentials")
	flags.Func("env", "`NAME=VALUE` for the function's environment; may be given several times", func(s string) error {
		name, value, ok := strings.Cut(s, "=")
		if !ok || name == "" {
			return errors.New("must have the form NAME=VALUE")
		}
		c.env[name] = value
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return c, err
	}
	if c.function == "" {
		c.function, _, _ = strings.Cut(strings.TrimSuffix(filepath.Base(*file), ".json"), "-")
	}
	err := checkFunction(ctx, c.function)
	switch {
	case flags.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case *file == "":
		err = errors.New("-event is missing")
	case err == nil:
		c.event, err = readEvent(*file)
	}
	if err != nil {
		fmt.Fprintln(stderr, "invoke:", err)
	}
	return c, err
}

// checkFunction returns an error unless the module has the function.
func checkFunction(ctx context.Context, function string) error {
	root, err := lambdatest.ModuleRoot(ctx)
	if err != nil {
		return err
	}
	names, err := filepath.Glob(filepath.Join(root, "functions", "*", "main.go"))
	if err != nil {
		return err
	}
	for i, file := range names {
		names[i] = filepath.Base(filepath.Dir(file))
	}
	if !slices.Contains(names, function) {
		return fmt.Errorf("there is no function %q; there are: %s", function, strings.Join(names, ", "))
	}
	return nil
}

func (c call) run(ctx context.Context, stdout io.Writer) error {
	dir, err := os.MkdirTemp("", "invoke")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, c.function)
	if err := lambdatest.Build(ctx, "./functions/"+c.function, binary); err != nil {
		return err
	}
	return c.invoke(ctx, binary, stdout)
}

// invoke runs the function on the event, with everything around it, and prints the result.
func (c call) invoke(ctx context.Context, binary string, stdout io.Writer) error {
	around, err := c.prepare(ctx)
	if err != nil {
		return err
	}
	defer around.Close()
	prepared := around.Table.Calls("")
	env := around.Environment()
	if c.event.iam {
		env["CALLER_AUTH"] = "iam"
	}
	maps.Copy(env, c.env)
	timeout := lambdatest.APITimeout
	if c.function == "eraseuser" {
		timeout = eraseTimeout
	}
	fn, err := lambdatest.Start(ctx, lambdatest.Options{Binary: binary, Name: c.function, Env: env, Timeout: timeout})
	if err != nil {
		return err
	}
	// Signed only now, because the function may have taken long to build.
	result, err := fn.Invoke(ctx, signNow(c.event.payload, time.Now()))
	initDuration, _ := fn.WaitReady(ctx)
	usage := fn.Stop()

	printAnswer(stdout, result, err)
	printSection(stdout, "logs", append(fn.LogLines(), "")...)
	printUpstream(stdout, around, prepared)
	if err == nil {
		printTimes(stdout, initDuration, result.Duration, usage)
	}
	if err != nil || result.Panicked() {
		return errNoAnswer
	}
	return nil
}

// eraseTimeout is the template's for eraseuser, which deletes a few sessions a second.
const eraseTimeout = 5 * time.Minute

// listedSession is the session in the answer to an event that asks for a list, and that of a user
// who is to be erased.
const listedSession = "99999999-2222-3333-4444-555555555555"

// prepare starts what the function talks to, makes the session that the event is about known to
// Didit and to the table, and opens the task that waits on it.
func (c call) prepare(ctx context.Context) (*stage.Stage, error) {
	s, err := stage.New()
	if err != nil {
		return nil, err
	}
	if c.apiKey {
		s.Secrets.Set(stage.SecretID, stage.KeySecret)
	}
	if err := s.Start(); err != nil {
		return nil, err
	}
	if c.event.taskToken != "" {
		s.Tasks.Open(c.event.taskToken)
	}
	switch {
	case c.event.sessionID == "" && c.function == "getsession":
		c.event.sessionID = listedSession
	case c.event.userID != "" && c.function == "eraseuser":
		c.event.sessionID, c.event.principal = listedSession, c.event.userID
	}
	if c.event.sessionID == "" {
		return s, nil
	}
	if err := s.Didit.AddSession(c.event.sessionID, stage.Workflow, c.event.principal); err != nil {
		s.Close()
		return nil, err
	}
	if c.function == "getdecision" {
		_ = s.Didit.SetStatus(c.event.sessionID, verification.StatusApproved) // it was just added
	}
	record := verification.NewRecord(c.event.sessionID, c.event.principal, stage.Workflow, verification.StatusNotStarted, time.Now())
	if _, _, err := s.Store.Add(ctx, record); err != nil {
		s.Close()
		return nil, fmt.Errorf("store the record of the session: %w", err)
	}
	return s, nil
}

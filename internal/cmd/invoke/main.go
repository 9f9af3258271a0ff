// Command invoke runs one function of this module on one event, on this machine
// and for real: the binary as it ships, under a Runtime API, with a Didit
// simulator and the AWS services that it calls on loopback. No Docker, no AWS,
// no Didit. The session that an event is about is on record, and not started.
//
//	go run ./internal/cmd/invoke -function createsession -event events/createsession-http-minimal.json
//
// It prints the answer, the function's log, and what was called upstream. It
// exits with 0 when the function answered, refusals included; with 1 when it
// crashed, timed out or could not be built; with 2 when it was called wrongly.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"didit-sessions/internal/lambdatest"
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

// call is one thing to do, as the command line says it.
type call struct {
	function  string
	eventFile string
	env       map[string]string
	apiKey    bool
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitAnswered
	case err != nil:
		// The flag package has explained its own errors already.
		return exitUsage
	}
	if err := c.check(ctx); err != nil {
		fmt.Fprintln(stderr, "invoke:", err)
		return exitUsage
	}
	event, err := readEvent(c.eventFile)
	if err != nil {
		fmt.Fprintln(stderr, "invoke:", err)
		return exitUsage
	}
	dir, err := os.MkdirTemp("", "invoke")
	if err != nil {
		fmt.Fprintln(stderr, "invoke:", err)
		return exitFailed
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, c.function)
	if err := lambdatest.Build(ctx, "./functions/"+c.function, binary); err != nil {
		fmt.Fprintln(stderr, "invoke:", err)
		return exitFailed
	}
	return c.invoke(ctx, binary, event, stdout, stderr)
}

func parse(args []string, stderr io.Writer) (call, error) {
	c := call{env: make(map[string]string)}
	flags := flag.NewFlagSet("invoke", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&c.function, "function", "", "`name` of a directory under functions/")
	flags.StringVar(&c.eventFile, "event", "", "`file` with the JSON payload, such as those in events/")
	flags.BoolVar(&c.apiKey, "api-key", false, "keep an API key in the secret instead of client credentials")
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
	if flags.NArg() > 0 {
		err := fmt.Errorf("unexpected argument %q", flags.Arg(0))
		fmt.Fprintln(stderr, "invoke:", err)
		return c, err
	}
	return c, nil
}

// check finds the function among those of the module.
func (c call) check(ctx context.Context) error {
	root, err := lambdatest.ModuleRoot(ctx)
	if err != nil {
		return err
	}
	mains, err := filepath.Glob(filepath.Join(root, "functions", "*", "main.go"))
	if err != nil {
		return err
	}
	var names []string
	for _, file := range mains {
		name := filepath.Base(filepath.Dir(file))
		if name == c.function {
			return nil
		}
		names = append(names, name)
	}
	have := "; there are: " + strings.Join(names, ", ")
	if c.function == "" {
		return errors.New("-function is missing" + have)
	}
	return fmt.Errorf("there is no function %q%s", c.function, have)
}

// invoke starts all that the function needs, and the function, and prints what
// comes of it.
func (c call) invoke(ctx context.Context, binary string, event event, stdout, stderr io.Writer) int {
	upstream, err := startUpstream(ctx, c.apiKey, event)
	if err != nil {
		fmt.Fprintln(stderr, "invoke:", err)
		return exitFailed
	}
	defer upstream.close()
	fn, err := lambdatest.Start(ctx, lambdatest.Options{
		Binary: binary, Name: c.function, Env: upstream.environment(event, c.env), Timeout: lambdatest.APITimeout,
	})
	if err != nil {
		fmt.Fprintln(stderr, "invoke:", err)
		return exitFailed
	}
	// Signed only now: the function may have taken long to build.
	result, err := fn.Invoke(ctx, sentNow(event.payload, time.Now()))
	initDuration, _ := fn.WaitReady(ctx)
	usage := fn.Stop()

	code := exitAnswered
	if err != nil || result.Panicked() {
		code = exitFailed
	}
	if err == nil {
		printAnswer(stdout, result)
	} else {
		printCrash(stdout, err)
	}
	printLogs(stdout, fn.LogLines())
	printUpstream(stdout, upstream)
	if err == nil {
		printTimes(stdout, initDuration, result.Duration, usage)
	}
	return code
}

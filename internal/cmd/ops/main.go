// Command ops is the operator's tool: its verbs take a deployment from an AWS account to a first
// real session, and look after it. The Makefile calls it: make deploy ENV=dev.
//
//	go run ./internal/cmd/ops deploy -env dev
//
// Every answer to a prompt is also a flag and a variable, so that a pipeline is asked nothing; with
// CI=true, or without a terminal, everything that is missing is listed at once. The exit status is
// 0 if all is well, 1 if something is wrong, and 2 if that could not be found out.
//
// The tool prints no secret, writes none into a file, and gives none to a child process, neither as
// an argument nor in its environment.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	// net/http writes an answer that came without a request to package log, with all that is in it.
	log.SetOutput(io.Discard)
	os.Exit(program(timing{}))
}

func program(t timing) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return run(ctx, os.Args[1:], &console{in: os.Stdin, out: os.Stdout, err: os.Stderr, getenv: os.Getenv, timing: t})
}

// The exit statuses.
const (
	exitWell  = 0
	exitWrong = 1 // something is wrong
	exitBlind = 2 // it could not be found out, or the command line is wrong
)

// A verb is one of the tool's commands.
type verb struct {
	name    string
	summary string
	// questions are what the verb can ask. Each is also a flag and a variable.
	questions []*question
	// json says that the verb has the flag -json: then stdout carries one JSON document and nothing
	// else. See [ops.json].
	json bool
	// local says that the verb also works on the system of make run; see [localEnv].
	local bool
	// run does the work. Its error is printed as one sentence, and the exit status follows it: see
	// [blind].
	run func(ctx context.Context, o *ops) error
}

// verbs are all commands, in the order in which an operator meets them. A verb's file defines it.
var verbs = []*verb{deployVerb, connectVerb, sessionVerb, doctorVerb, replayVerb, triggerVerb, eraseVerb, destroyVerb}

// ops is one run of a verb.
type ops struct {
	*console
	verb *verb
	env  string // of samconfig.toml
	json bool   // stdout carries JSON only
	dir  string // the root of the repository

	every time.Duration // between two looks at something that changes; 0: see poll

	flags   map[string]string // the questions' flags that were given
	missing []string          // what could not be asked, and what to set instead
	secrets []string          // variables that no child process may see
}

// run runs the verb that the arguments name and returns the exit status.
func run(ctx context.Context, args []string, c *console) int {
	o, err := parse(args, c)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitWell
	case err != nil:
		fmt.Fprintln(c.err, "ops:", err)
		return exitBlind
	}
	err = o.verb.run(ctx, o)
	if err == nil {
		err = o.complete()
	}
	return c.report(ctx, err)
}

// parse reads the command line.
func parse(args []string, c *console) (*ops, error) {
	if len(args) == 0 || args[0] == "-h" || args[0] == "-help" || args[0] == "--help" {
		usage(c.out)
		return nil, flag.ErrHelp
	}
	for _, v := range verbs {
		if v.name == args[0] {
			return parseVerb(v, args[1:], c)
		}
	}
	return nil, fmt.Errorf("there is no command %q; there are: %s", args[0], strings.Join(names(), ", "))
}

func parseVerb(v *verb, args []string, c *console) (*ops, error) {
	o := &ops{console: c, verb: v, flags: map[string]string{}, secrets: secretVariables()}
	flags := flag.NewFlagSet("ops "+v.name, flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the caller prints the error, once
	flags.Usage = func() {}
	flags.StringVar(&o.env, "env", c.variable("ENV", "default"), "`name` of the tables in samconfig.toml (variable ENV)")
	flags.StringVar(&o.dir, "dir", ".", "`folder` of the repository")
	if v.json {
		flags.BoolVar(&o.json, "json", c.variable("JSON", "") != "", "print JSON (variable JSON=1)")
	}
	registerQuestions(flags, v.questions, o.flags, c.in)
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprintf(c.out, "ops %s: %s\n\n", v.name, v.summary)
			flags.SetOutput(c.out)
			flags.PrintDefaults()
		}
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("%s takes no argument %q; flags begin with a dash", v.name, flags.Arg(0))
	}
	if o.env == localEnv && !v.local {
		return nil, fmt.Errorf("%s needs a deployed stack; for the system of make run, use its page", v.name)
	}
	c.quiet = o.json
	return o, nil
}

// secretVariables are the variables of questions with a secret answer, of all verbs.
func secretVariables() []string {
	var names []string
	for _, v := range verbs {
		for _, q := range v.questions {
			if q.secret {
				names = append(names, q.variable)
			}
		}
	}
	return names
}

func names() []string {
	list := make([]string, len(verbs))
	for i, v := range verbs {
		list[i] = v.name
	}
	return list
}

func usage(w io.Writer) {
	fmt.Fprintln(w, "usage: ops COMMAND [flags]; ops COMMAND -h lists the flags")
	for _, v := range verbs {
		fmt.Fprintf(w, "  %-8s %s\n", v.name, v.summary)
	}
}

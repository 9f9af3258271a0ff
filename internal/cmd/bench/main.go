// Command bench measures the functions as they ship: the built binary under a Runtime API, its
// upstreams behind TLS and a simulated round trip, everything on loopback. No AWS, no Didit.
//
//	go run ./internal/cmd/bench [-short] [-runs 21] [-function KEY,...] [-svg FILE] [-readme FILE]
//	go run ./internal/cmd/bench -load [-short] [-readme FILE]
//
// Beside each function runs its floor, a bare Go function that makes the same calls for one request
// and nothing else. Both take turns, so that a busy machine slows both. What the round trip costs,
// and where, is described at wire; what is measured, at figureKeys.
//
// The output is in Go's benchmark format, for benchstat: medians, with the number of measurements
// in place of iterations. "far" is with a round trip of 40 ms to Didit and 2 ms to AWS, "near"
// without any. Lines that begin with # hold the figures against the bounds that the product sets
// itself.
//
// With -load it drives the functions for two minutes instead, and then delivers ten thousand
// webhooks in random order; see load.
//
// A run takes about five minutes, with -short one, not counting what the go command takes to build.
// It exits with 0 if everything was measured, whether or not the bounds hold; with 1 if something
// could not be measured, or was lost under load; with 2 for a wrong command line.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

const (
	exitMeasured = 0
	exitFailed   = 1
	exitUsage    = 2
)

// options are what the command line says.
type options struct {
	plan      plan
	functions []function
	svg       string    // file; empty: no picture
	readme    string    // file whose tables are replaced; empty: none
	load      *loadPlan // nil: measure instead
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitMeasured
	case err != nil:
		return exitUsage
	}
	if err := o.run(ctx, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return exitFailed
	}
	return exitMeasured
}

// parse reads the command line. It prints an error to stderr before it returns it.
func parse(args []string, stderr io.Writer) (options, error) {
	o := options{plan: full, functions: functions}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	short := flags.Bool("short", false, "measure less, in about a minute")
	load := flags.Bool("load", false, "drive the functions under load instead of measuring them")
	runs := flags.Uint("runs", 0, "how many starts of each kind to take the median of (default 21, with -short 3)")
	flags.StringVar(&o.svg, "svg", "", "also draw the figures into this `file`")
	flags.StringVar(&o.readme, "readme", "", "also write the figures into the tables of this `file`")
	flags.Func("function", "measure these alone: comma-separated `keys`, such as createsession-recording", func(keys string) (err error) {
		o.functions, err = selectFunctions(functions, keys)
		return err
	})
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		err := fmt.Errorf("unexpected argument %q", flags.Arg(0))
		fmt.Fprintln(stderr, "bench:", err)
		return o, err
	}
	loads := &fullLoad
	if *short {
		o.plan, loads = brief, &briefLoad
	}
	if *load {
		o.load = loads
	}
	o.plan.runs = cmp.Or(int(*runs), o.plan.runs)
	return o, nil
}

// run prints the figures of each function when they are measured, and draws the picture at the end.
func (o options) run(ctx context.Context, stdout, stderr io.Writer) error {
	printMachine(stdout)
	if o.load != nil {
		figures, err := o.load.run(ctx, stderr)
		figures.print(stdout)
		if err == nil && o.readme != "" {
			err = fill(o.readme, "load", figures.table())
		}
		return err
	}
	var reports []report
	err := measure(ctx, o.plan, o.functions, stderr, func(f function, m *measurement) error {
		r := report{f, newFigures(m)}
		reports = append(reports, r)
		return r.print(stdout)
	})
	if err == nil && o.readme != "" {
		err = fill(o.readme, "bounds", boundsTable(o.plan, reports))
	}
	if err != nil || o.svg == "" {
		return err
	}
	picture, err := drawSVG(reports)
	if err != nil {
		return err
	}
	return os.WriteFile(o.svg, picture, 0o644)
}

// Command bench measures the functions as they ship: the built binary under a
// Runtime API, its upstreams behind TLS and a simulated round trip, everything on
// loopback. No AWS, no Didit.
//
//	go run ./internal/cmd/bench [-short] [-runs 21] [-function KEY,...] [-json] [-svg FILE]
//	go run ./internal/cmd/bench -cost [-short] [-runs 21] [-function KEY,...] [-json]
//
// Beside each function runs its floor, a bare Go function that makes the same
// calls for one request and nothing else; both take turns, so that a busy machine
// hits both alike. Next to the figures stand the bounds that the product sets
// itself, and whether each holds on this machine. What the round trip costs, and
// where, is described at wire; what is measured, at measurement.
//
// With -cost it measures instead what a call costs at the memory sizes that
// differ in their share of a processor; what is assumed about AWS is described
// at costReport.
//
// Either takes less than four minutes, with -short less than 45 seconds, not
// counting what the go command takes to build, and ends by itself if it takes
// much longer. It exits with 0 when everything was measured, whether or not the
// bounds hold; with 1 when something could not be measured; with 2 when it was
// called wrongly.
package main

import (
	"context"
	"encoding/json"
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
	plan     plan
	function string // keys, comma-separated; empty: all
	cost     bool
	json     bool
	svg      string
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

// parse has explained its error on stderr when it returns one.
func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	short := flags.Bool("short", false, "measure less, in less than 45 seconds")
	runs := flags.Int("runs", 0, "how many starts of each kind to take the median of (default 21, with -short 3)")
	flags.StringVar(&o.function, "function", "", "measure these alone: comma-separated `keys`, as createsession-recording")
	flags.BoolVar(&o.cost, "cost", false, "measure what a call costs at 128, 256 and 512 MB, and nothing else")
	flags.BoolVar(&o.json, "json", false, "print one JSON document instead of a table")
	flags.StringVar(&o.svg, "svg", "", "also draw the figures into this `file`")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.plan = full
	if *short {
		o.plan = brief
	}
	if *runs != 0 {
		o.plan = o.plan.withRuns(*runs)
	}
	_, err := selected(functions, o.function)
	switch {
	case err != nil:
	case o.cost && o.svg != "":
		err = errors.New("-cost draws no picture: leave out -svg")
	case flags.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case *runs < 0:
		err = fmt.Errorf("-runs is %d; it must be positive", *runs)
	}
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
	}
	return o, err
}

func (o options) run(ctx context.Context, stdout, stderr io.Writer) error {
	chosen, err := selected(functions, o.function)
	if err != nil {
		return err
	}
	if o.cost {
		r, err := measureCost(ctx, o.plan, chosen, stderr)
		if err != nil {
			return err
		}
		return o.show(r, stdout)
	}
	r, err := measure(ctx, o.plan, chosen, stderr)
	if err != nil {
		return err
	}
	if o.svg != "" {
		picture, err := r.svg()
		if err != nil {
			return err
		}
		if err := os.WriteFile(o.svg, picture, 0o644); err != nil {
			return err
		}
	}
	return o.show(r, stdout)
}

// show prints what was measured, in the form that was asked for.
func (o options) show(r interface{ print(io.Writer) error }, stdout io.Writer) error {
	if !o.json {
		return r.print(stdout)
	}
	encoder := json.NewEncoder(stdout)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

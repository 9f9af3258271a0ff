// Local runs the whole system on the loopback interface: a gateway that turns HTTP requests into
// Lambda events for the functions' handlers, a table, a bus and waiting tasks in memory, the Didit
// simulator, and a page on which a developer creates a session and follows it. It needs only Go: no
// Docker, no AWS, no account.
//
//	go run ./internal/cmd/local [-port 8080] [-simulator-port 8081] [-listen 127.0.0.1]
//	go run ./internal/cmd/local demo
//	go run ./internal/cmd/local simulator [-port 8081] [-listen 127.0.0.1] [-webhook URL]
//
// It is for development only: it does not verify tokens, so every caller that can reach it can act
// as any user.
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
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "local:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends, or plays the demo.
func run(ctx context.Context, args []string, getenv func(string) string, out io.Writer) error {
	if len(args) > 0 && args[0] == "simulator" {
		return runSimulator(ctx, args[1:], out)
	}
	if len(args) > 0 && args[0] == "demo" {
		if len(args) > 1 {
			return fmt.Errorf("demo takes no arguments, got %q", args[1])
		}
		return demo(ctx, out)
	}
	o := options{getenv: getenv, out: out, reconcileEvery: reconcilePause}
	flags := flag.NewFlagSet("local", flag.ContinueOnError)
	flags.IntVar(&o.port, "port", 8080, "port of the API and the page; 0 takes a free one")
	flags.IntVar(&o.simulatorPort, "simulator-port", -1, "port of the Didit simulator; -1 takes the one after -port")
	flags.StringVar(&o.listen, "listen", "127.0.0.1",
		"address to listen on; 0.0.0.0 is reachable from a phone in the same network")
	if err := flags.Parse(args); err != nil {
		return flag.ErrHelp
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unknown argument %q; "+
			"run it without arguments to start the system, with \"demo\" to play the story, or with \"simulator\" to run that alone", flags.Arg(0))
	}
	if o.simulatorPort < 0 {
		o.simulatorPort = o.port
		if o.port != 0 {
			o.simulatorPort = o.port + 1
		}
	}
	s, err := start(o)
	if err != nil {
		return err
	}
	s.printWhere(out)
	<-ctx.Done()
	fmt.Fprintln(out, "stopping")
	return s.stop()
}

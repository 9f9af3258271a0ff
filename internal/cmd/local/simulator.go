package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"time"

	"didit-sessions/internal/didit/didittest"
)

// runSimulator serves the Didit simulator alone until ctx ends, for tests of other programs: its
// first line of output says that it is ready.
func runSimulator(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("local simulator", flag.ContinueOnError)
	port := flags.Int("port", 8081, "port to listen on; 0 takes a free one")
	address := flags.String("listen", "127.0.0.1", "address to listen on; 0.0.0.0 is reachable from other machines")
	webhook := flags.String("webhook", "", "`URL` that gets the webhooks; it can be set later over HTTP")
	if err := flags.Parse(args); err != nil {
		return flag.ErrHelp
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unknown argument %q; simulator takes -port, -listen and -webhook", flags.Arg(0))
	}
	s := &didittest.Server{}
	if err := s.SetWebhook(*webhook, "", ""); err != nil {
		return fmt.Errorf("-webhook: %w", err)
	}
	l, err := listen(*address, *port, "-port")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	_, public := hosts(*address)
	fmt.Fprintf(out, "ready: %s\n\n", origin(public, l))
	fmt.Fprintf(out, "client id         %s\nclient secret     %s\nAPI key           %s\nwebhook secret    %s\n\n",
		didittest.DefaultClientID, didittest.DefaultClientSecret, didittest.DefaultAPIKey, didittest.DefaultWebhookSecret)
	fmt.Fprintln(out, "They are invented and open nothing at Didit. Open the address in a browser: it has sessions, faults and")
	fmt.Fprintln(out, "webhooks with a button each, and the commands for programs. Ctrl-C stops it.")
	select {
	case err = <-ended:
	case <-ctx.Done():
		fmt.Fprintln(out, "stopping")
		s.Close() // releases the requests that a fault keeps waiting
		stopping, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		if server.Shutdown(stopping) != nil {
			_ = server.Close()
		}
	}
	return err
}

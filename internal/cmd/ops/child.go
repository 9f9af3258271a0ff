package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// childEnvironment is an environment without the secret variables.
func childEnvironment(environ, secret []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		// make hands its command line down in these, and with it what was set there.
		return slices.Contains(secret, name) || name == "MAKEFLAGS" || name == "MAKEOVERRIDES" || name == "MFLAGS"
	})
}

// child returns a command that runs in the root of the repository and talks to the operator.
func (o *ops) child(ctx context.Context, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir, c.Env = o.dir, childEnvironment(os.Environ(), o.secrets)
	c.Stdin, c.Stdout, c.Stderr = o.in, o.screen(), o.err
	// Ctrl-C reaches the child by itself; it gets the time to end in its own way.
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGINT) }
	return c
}

// sam returns a command of the SAM CLI.
func (o *ops) sam(ctx context.Context, args ...string) *exec.Cmd {
	path := filepath.Join(".venv", "bin", "sam")
	return o.child(ctx, path, args...)
}

// quietly runs a child, keeps what it prints, and shows it only if the child fails.
func (o *ops) quietly(c *exec.Cmd) error {
	var output strings.Builder
	c.Stdin, c.Stdout, c.Stderr = nil, &output, &output
	err := c.Run()
	if err != nil {
		io.WriteString(o.err, output.String())
	}
	return err
}

// failed returns one sentence about a child that failed.
func failed(what string, err error) error {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return fmt.Errorf("%s failed (status %d); the reason is above", what, exit.ExitCode())
	}
	return blind(fmt.Errorf("%s did not start: %w", what, err))
}

package lambdatest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Build compiles the main package pkg, a path relative to the root of the
// module that holds the working directory ("./functions/createsession"), for
// this machine and with the flags that are shipped, and writes the binary to
// out. Further flags of go build follow in flags; "-race" turns cgo on, which
// the race detector needs. An error holds what the go command said.
func Build(ctx context.Context, pkg, out string, flags ...string) error {
	root, err := ModuleRoot(ctx)
	if err != nil {
		return err
	}
	if out, err = filepath.Abs(out); err != nil {
		return err
	}
	args := append([]string{"build", "-trimpath", "-tags", "lambda.norpc", "-ldflags=-s -w", "-o", out}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, pkg)...)
	cmd.Dir = root
	cmd.Env = buildEnv(slices.Contains(flags, "-race"))
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s: %w\n%s", pkg, err, bytes.TrimSpace(output))
	}
	return nil
}

// ModuleRoot returns the directory of the go.mod file that governs the working
// directory. It fails outside a module, or without the go command.
func ModuleRoot(ctx context.Context) (string, error) {
	output, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	file := strings.TrimSpace(string(output))
	if file == "" || file == os.DevNull {
		return "", errors.New("the working directory is not inside a Go module")
	}
	return filepath.Dir(file), nil
}

// buildEnv is the caller's environment, aimed at this machine: the binary runs
// here, even where a developer builds for Lambda's architecture by default.
func buildEnv(race bool) []string {
	cgo := "CGO_ENABLED=0"
	if race {
		cgo = "CGO_ENABLED=1"
	}
	return append(os.Environ(), "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH, cgo)
}

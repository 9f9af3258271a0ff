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
	return build(ctx, runtime.GOOS, runtime.GOARCH, pkg, out, flags)
}

// BuildLambda is [Build] for Linux on the processor goarch ("arm64", "amd64"):
// what is deployed, to be looked at and not to be run.
func BuildLambda(ctx context.Context, goarch, pkg, out string) error {
	return build(ctx, "linux", goarch, pkg, out, nil)
}

func build(ctx context.Context, goos, goarch, pkg, out string, flags []string) error {
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
	cgo := "CGO_ENABLED=0"
	if slices.Contains(flags, "-race") {
		cgo = "CGO_ENABLED=1"
	}
	// The caller's own GOOS and GOARCH do not count: a developer may build for
	// Lambda's processor by default.
	cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH="+goarch, cgo)
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

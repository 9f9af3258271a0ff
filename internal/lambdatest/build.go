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

// Build compiles a main package for this machine, otherwise as it ships, and writes the binary to
// out. pkg is a path relative to the root of the module of the working directory, such as
// "./functions/createsession". flags are further flags of go build; "-race" enables cgo, which the
// race detector needs. The error contains the output of the go command.
func Build(ctx context.Context, pkg, out string, flags ...string) error {
	return build(ctx, runtime.GOOS, runtime.GOARCH, pkg, out, flags)
}

// BuildLambda is [Build] for Linux on goarch ("arm64" or "amd64"), as it is deployed.
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
	// A developer may have GOOS and GOARCH of Lambda in the environment.
	cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH="+goarch, cgo)
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s: %w\n%s", pkg, err, bytes.TrimSpace(output))
	}
	return nil
}

// ModuleRoot returns the root directory of the module of the working directory. It fails outside a
// module, or without the go command.
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

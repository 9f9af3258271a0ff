package lambdatest_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"didit-sessions/internal/lambdatest"
)

// echo is the binary of testdata/echo.
var echo string

func TestMain(m *testing.M) {
	if binary := os.Getenv(orphanOf); binary != "" {
		leaveBehind(binary)
	}
	dir, err := os.MkdirTemp("", "lambdatest")
	if err == nil {
		echo = filepath.Join(dir, "echo")
		err = lambdatest.Build(context.Background(), "./internal/lambdatest/testdata/echo", echo)
	}
	code := 1
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else {
		code = m.Run()
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

func start(t *testing.T, options lambdatest.Options) *lambdatest.Function {
	t.Helper()
	if options.Binary == "" {
		options.Binary = echo
	}
	fn, err := lambdatest.Start(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fn.Stop() })
	return fn
}

func invoke(t *testing.T, fn *lambdatest.Function, payload string) lambdatest.Result {
	t.Helper()
	result, err := fn.Invoke(patience(t), []byte(payload))
	if err != nil {
		t.Fatalf("Invoke(%.80s): %v", payload, err)
	}
	return result
}

// patience is long enough for a busy machine and ends a test that hangs.
func patience(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// lockedBuffer is read while a function writes to it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

package lambdatest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
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

// patience only ends a test that hangs.
func patience(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// errWaiting is why a context of untilWaiting ends.
var errWaiting = errors.New("the process waits")

// untilWaiting returns a context that ends once a process with these logs has written that it
// waits.
func untilWaiting(t *testing.T) (ctx context.Context, logs io.Writer) {
	ctx, cancel := context.WithCancelCause(patience(t))
	t.Cleanup(func() { cancel(nil) })
	var all []byte
	return ctx, writerFunc(func(p []byte) (int, error) {
		if all = append(all, p...); bytes.Contains(all, []byte("waiting\n")) {
			cancel(errWaiting)
		}
		return len(p), nil
	})
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

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

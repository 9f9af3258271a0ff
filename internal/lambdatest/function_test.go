package lambdatest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"didit-sessions/internal/lambdatest"
)

func TestBuild_compileError(t *testing.T) {
	t.Parallel()
	err := lambdatest.Build(t.Context(), "./no/such/package", filepath.Join(t.TempDir(), "out"))
	if err == nil || !strings.Contains(err.Error(), "no/such/package") {
		t.Errorf("Build of a missing package: got %v, want what go says about it", err)
	}
}

func TestStart_refuses(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]lambdatest.Options{
		"no binary":        {},
		"missing binary":   {Binary: filepath.Join(t.TempDir(), "none")},
		"negative timeout": {Binary: echo, Timeout: -1},
	} {
		if fn, err := lambdatest.Start(t.Context(), options); err == nil {
			fn.Stop()
			t.Errorf("%s: started", name)
		}
	}
}

func TestFunction_coldAndWarm(t *testing.T) {
	t.Parallel()
	fn := start(t, lambdatest.Options{})
	initDuration, err := fn.WaitReady(patience(t))
	if err != nil || initDuration <= 0 {
		t.Fatalf("WaitReady: got %v, %v", initDuration, err)
	}
	var answered time.Time
	for _, payload := range []string{`{"a":1}`, `"é<>&"`, `null`} {
		result := invoke(t, fn, payload)
		if string(result.Payload) != payload || result.Failed() {
			t.Errorf("got %s, failed %v; want %s back", result.Payload, result.Failed(), payload)
		}
		if result.Duration <= 0 || !result.AnsweredAt.After(answered) {
			t.Errorf("duration %v, answered at %v after %v", result.Duration, result.AnsweredAt, answered)
		}
		if cold := result.AnsweredAt.Sub(fn.StartedAt()); cold < initDuration+result.Duration {
			t.Errorf("%v from start to answer, of which init %v and the call %v", cold, initDuration, result.Duration)
		}
		answered = result.AnsweredAt
	}
}

func TestFunction_environment(t *testing.T) {
	t.Setenv("LAMBDATEST_OF_THE_PARENT", "must not arrive")
	fn := start(t, lambdatest.Options{
		Name: "createsession",
		Env:  map[string]string{"OWN": "1", "AWS_REGION": "us-east-2"},
	})
	var got []string
	if err := json.Unmarshal(invoke(t, fn, `{"do":"environment"}`).Payload, &got); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"OWN=1", "AWS_REGION=us-east-2", "AWS_LAMBDA_FUNCTION_NAME=createsession", "AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		"AWS_LAMBDA_LOG_FORMAT=JSON", "TZ=:UTC", "LAMBDA_TASK_ROOT=" + filepath.Dir(echo), "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("environment lacks %s", want)
		}
	}
	for _, name := range []string{"LAMBDATEST_OF_THE_PARENT=", "AWS_LAMBDA_MAX_CONCURRENCY=", "HOME=" + os.Getenv("HOME"), "AWS_EXECUTION_ENV="} {
		if slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, name) }) {
			t.Errorf("environment holds %s", name)
		}
	}
}

func TestFunction_initFails(t *testing.T) {
	t.Parallel()
	t.Run("exit", func(t *testing.T) {
		t.Parallel()
		fn := start(t, lambdatest.Options{Env: map[string]string{"INIT": "exit"}})
		_, readyErr := fn.WaitReady(patience(t))
		_, invokeErr := fn.Invoke(patience(t), []byte("{}"))
		for name, err := range map[string]error{"WaitReady": readyErr, "Invoke": invokeErr, "Freeze": fn.Freeze(), "Thaw": fn.Thaw()} {
			var exit *lambdatest.ExitError
			if !errors.As(err, &exit) || exit.Code != 3 || exit.Reason != "" || !slices.Contains(exit.Logs, "TABLE_NAME is wrong") {
				t.Errorf("%s: got %v, want exit code 3 and the log", name, err)
			}
		}
	})
	t.Run("reported", func(t *testing.T) {
		t.Parallel()
		fn := start(t, lambdatest.Options{Env: map[string]string{"INIT": "error"}})
		_, readyErr := fn.WaitReady(patience(t))
		_, invokeErr := fn.Invoke(patience(t), []byte("{}"))
		for _, err := range []error{readyErr, invokeErr} {
			var failed *lambdatest.InitError
			if !errors.As(err, &failed) || failed.ErrorType != "Extension.Broken" || failed.ErrorMessage != "no table" {
				t.Errorf("got %v, want the reported error", err)
			}
		}
	})
	t.Run("hang", func(t *testing.T) {
		t.Parallel()
		ctx, logs := untilWaiting(t)
		fn := start(t, lambdatest.Options{Env: map[string]string{"INIT": "hang"}, Logs: logs})
		_, readyErr := fn.WaitReady(ctx)
		_, invokeErr := fn.Invoke(ctx, []byte("{}"))
		for _, err := range []error{readyErr, invokeErr} {
			if !errors.Is(err, errWaiting) {
				t.Errorf("got %v, want the context's cause", err)
			}
		}
	})
}

func TestFunction_freeze(t *testing.T) {
	t.Parallel()
	fn := start(t, lambdatest.Options{})
	invoke(t, fn, `1`)
	for range 3 {
		if err := fn.Freeze(); err != nil {
			t.Fatal(err)
		}
		// However short, the time is too long for a function that stands still.
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if result, err := fn.Invoke(ctx, []byte(`2`)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a frozen function answered %s, %v", result.Payload, err)
		}
		cancel()
		if err := fn.Thaw(); err != nil {
			t.Fatal(err)
		}
		if got := invoke(t, fn, `3`); string(got.Payload) != `3` {
			t.Errorf("after thawing: got %s, want 3", got.Payload)
		}
	}
}

func TestFunction_freezeWhileRunning(t *testing.T) {
	t.Parallel()
	ctx, logs := untilWaiting(t)
	fn := start(t, lambdatest.Options{MaxConcurrency: 2, Logs: logs})
	invoke(t, fn, `1`)
	if _, err := fn.Invoke(ctx, []byte(`{"do":"meet"}`)); !errors.Is(err, errWaiting) {
		t.Fatalf("got %v, want the context's cause", err)
	}
	if err := fn.Freeze(); err != nil {
		t.Errorf("Freeze in the middle of an invocation: %v", err)
	}
	if err := fn.Thaw(); err != nil {
		t.Error(err)
	}
	if got := invoke(t, fn, `{"do":"meet"}`); string(got.Payload) != `"met"` {
		t.Errorf("after thawing: got %s", got.Payload)
	}
}

func TestFunction_stop(t *testing.T) {
	t.Parallel()
	// The test process is far larger than the function; its size must not be
	// taken for the function's.
	large := bytes.Repeat([]byte{1}, 64<<20)
	defer runtime.KeepAlive(large)
	fn := start(t, lambdatest.Options{})
	invoke(t, fn, `{"do":"work"}`)
	running := fn.Usage()
	if err := fn.Freeze(); err != nil {
		t.Fatal(err)
	}
	usage := fn.Stop()
	select {
	case <-fn.Exited():
	default:
		t.Error("Stop returned before the process ended")
	}
	most := time.Since(fn.StartedAt()) * time.Duration(runtime.NumCPU())
	if cpu := usage.UserCPU + usage.SystemCPU; cpu < 50*time.Millisecond || cpu > most {
		t.Errorf("CPU time %v + %v after 50 ms of work, want at most %v", usage.UserCPU, usage.SystemCPU, most)
	}
	// The kernel's count comes in steps of 10 ms for either kind.
	if cpu := running.UserCPU + running.SystemCPU; cpu < 30*time.Millisecond {
		t.Errorf("CPU time %v + %v while running", running.UserCPU, running.SystemCPU)
	}
	if usage.PeakMemory < 1<<20 || usage.PeakMemory > 32<<20 || usage.PeakMemory < running.PeakMemory {
		t.Errorf("peak memory %d bytes, %d while running", usage.PeakMemory, running.PeakMemory)
	}
	if again := fn.Stop(); again != usage {
		t.Errorf("second Stop: got %+v, want %+v", again, usage)
	}
	var exit *lambdatest.ExitError
	if _, err := fn.Invoke(patience(t), nil); !errors.As(err, &exit) || exit.Reason != "stopped" {
		t.Errorf("Invoke after Stop: got %v", err)
	}
}

func TestFunction_contextEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	fn, err := lambdatest.Start(ctx, lambdatest.Options{Binary: echo})
	if err != nil {
		t.Fatal(err)
	}
	invoke(t, fn, `1`)
	cancel()
	select {
	case <-fn.Exited():
	case <-patience(t).Done():
		t.Fatal("the process outlives its context")
	}
	if usage := fn.Stop(); usage.PeakMemory == 0 {
		t.Errorf("usage %+v, want the memory measured before the kill", usage)
	}
}

func TestFunction_logs(t *testing.T) {
	t.Parallel()
	var tee lockedBuffer
	fn := start(t, lambdatest.Options{Logs: &tee})
	invoke(t, fn, `{"do":"log","size":300000}`)
	lines := fn.LogLines()
	if len(lines) != 4 || lines[0] != "to stdout" || lines[1] != "to stderr" || len(lines[2]) != 300000 || lines[3] != "last line" {
		t.Errorf("got %d lines, want the four written before the answer, in order", len(lines))
	}
	if tee.String() != string(fn.Logs()) {
		t.Errorf("the copy has %d bytes, the logs %d", len(tee.String()), len(fn.Logs()))
	}
	for range 30 {
		invoke(t, fn, `{"do":"log","size":300000}`)
	}
	logs := fn.Logs()
	if len(logs) > 8<<20 || len(logs) < 4<<20 || !strings.HasSuffix(string(logs), "last line\n") {
		t.Errorf("after 9 MB: %d bytes kept", len(logs))
	}
	if got, want := len(tee.String()), 31*(300000+len("to stdout\nto stderr\n\nlast line\n")); got != want {
		t.Errorf("the copy has %d bytes, want all %d", got, want)
	}
}

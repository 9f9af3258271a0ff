// Package lambdatest runs the binary of a function as Lambda runs it: with a Runtime API on
// loopback, a clean environment, a deadline for each invocation, and as a process that can be
// frozen, killed and measured. The tests of the built functions, "make invoke" and the benchmarks
// use it. It needs a Unix system.
//
// A test learns about the function from its answers, its logs, and the requests that reach the
// services behind it. Package awsfake has fakes of the AWS services, and package stage runs
// everything that a function of this module needs.
//
// An error of [Function.Invoke] means that the function gave no answer: it crashed, timed out, or
// answered too much. A function that answers with an error is a [Result] whose Failed method
// reports true.
//
// A [Function] is one execution environment. After a crash or a timeout Lambda would start another
// one; here the caller calls [Start] again.
package lambdatest

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	"didit-sessions/internal/awsfake"
)

// Function is a running function: one process and its Runtime API. [Start] makes one,
// [Function.Stop] ends it. It is safe for concurrent use.
type Function struct {
	options   Options
	cmd       *exec.Cmd
	logs      *logSink
	server    *http.Server
	startedAt time.Time

	queue      chan *invocation // unbuffered: an invocation waits for a poll
	ready      chan struct{}    // closed at the first poll
	initFailed chan struct{}    // closed when the function reports a failed init
	exited     chan struct{}    // closed after the process has ended; exit and usage are set before

	mu        sync.Mutex
	polls     int // for invocations, since the start
	answers   int
	readyAt   time.Time
	initError *InitError
	running   map[string]*invocation // handed over and not answered, by request id
	reason    string                 // why this package ended the process
	peak      int64

	exit  *ExitError
	usage Usage
}

// Start starts a function and returns while it initialises. [Function.WaitReady] waits for the end
// of the init phase; [Function.Invoke] right after Start is a cold start. The process is killed
// when ctx ends and, on Linux, when this process ends. The error says why the process could not be
// started.
func Start(ctx context.Context, options Options) (*Function, error) {
	options, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	f := &Function{
		options:    options,
		queue:      make(chan *invocation),
		ready:      make(chan struct{}),
		initFailed: make(chan struct{}),
		exited:     make(chan struct{}),
		running:    make(map[string]*invocation),
	}
	var output *os.File
	if f.logs, output, err = newLogSink(options.Logs); err != nil {
		return nil, fmt.Errorf("collect the logs: %w", err)
	}
	server, address, err := awsfake.Serve(f.runtimeAPI(), nil)
	if err != nil {
		f.logs.close()
		output.Close()
		return nil, fmt.Errorf("start the Runtime API: %w", err)
	}
	f.server = server
	if err := f.startProcess(ctx, address, output); err != nil {
		f.logs.close()
		server.Close()
		return nil, fmt.Errorf("start %s: %w", options.Name, err)
	}
	go f.logs.follow()
	return f, nil
}

func (f *Function) startProcess(ctx context.Context, runtimeAPI string, output *os.File) error {
	f.cmd = exec.CommandContext(ctx, f.options.Binary)
	f.cmd.Dir = filepath.Dir(f.options.Binary)
	f.cmd.Env = f.options.environment(runtimeAPI)
	f.cmd.Stdout, f.cmd.Stderr = output, output
	f.cmd.SysProcAttr = processAttributes()
	f.cmd.Cancel = func() error { return f.kill("context ended") }

	started := make(chan error)
	go f.run(output, started)
	return <-started
}

// run runs the process.
func (f *Function) run(output *os.File, started chan<- error) {
	// The parent-death signal is sent when the thread that forked ends, which may be before this
	// process ends: keep the thread until the child has ended.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	f.startedAt = time.Now()
	err := f.cmd.Start()
	output.Close()
	started <- err
	if err != nil {
		return
	}
	f.cmd.Wait()
	signalGroup(f.cmd.Process.Pid, syscall.SIGKILL)
	f.logs.close()

	f.mu.Lock()
	state := f.cmd.ProcessState
	f.exit = &ExitError{Code: state.ExitCode(), Status: state.String(), Reason: f.reason, Logs: f.logs.lastLines()}
	f.usage = Usage{PeakMemory: max(f.peak, exitPeak(state)), UserCPU: state.UserTime(), SystemCPU: state.SystemTime()}
	f.mu.Unlock()
	close(f.exited)
	f.server.Close()
}

// StartedAt returns the time just before the process was started. A cold start takes
// Result.AnsweredAt.Sub(StartedAt()) of the first invocation.
func (f *Function) StartedAt() time.Time { return f.startedAt }

// PID returns the process id.
func (f *Function) PID() int { return f.cmd.Process.Pid }

// Exited returns a channel that is closed when the process has ended for any reason.
func (f *Function) Exited() <-chan struct{} { return f.exited }

// WaitReady waits for the end of the init phase, which is the first poll for an invocation, and
// returns how long that took from the start of the process. The error is an [*ExitError] if the
// process ended before, an [*InitError] if it reported a failed init, and otherwise wraps the cause
// of the end of ctx. Lambda's limit of 10 s for the phase is not enforced.
func (f *Function) WaitReady(ctx context.Context) (time.Duration, error) {
	select {
	case <-f.ready:
	case <-f.initFailed:
	case <-f.exited:
	case <-ctx.Done():
		return 0, fmt.Errorf("function has not finished its init: %w", context.Cause(ctx))
	}
	select {
	case <-f.ready:
		return f.readyAt.Sub(f.startedAt), nil
	default:
		return 0, f.failure()
	}
}

// failure returns why there will be no answer.
func (f *Function) failure() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.initError != nil {
		return f.initError
	}
	return f.exit
}

// Logs returns what the function has written to stdout and stderr, in order. After an answer it
// contains every line written before that answer. Whenever there are more than 8 MiB, only the
// newest 4 MiB are kept, from the start of a line.
func (f *Function) Logs() []byte { return f.logs.bytes() }

// LogLines returns the lines of [Function.Logs].
func (f *Function) LogLines() []string { return f.logs.lines() }

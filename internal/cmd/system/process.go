package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// process is a server that runs until it is stopped. What it prints goes to a file.
type process struct {
	name string
	log  string // file
	cmd  *exec.Cmd
	done chan struct{} // closed at its end
}

// patience is how long a process may take to end after an interrupt; SAM removes its containers
// then.
const patience = 5 * time.Minute

// errEnded is what a process fails with that ends before it answers.
var errEnded = errors.New("ended before it answered")

// announcement is the line by which the servers of moto and of the SAM CLI report where they
// listen.
var announcement = regexp.MustCompile(`Running on (http://[0-9.]+:[0-9]+)`)

// startProcess runs a command in the background.
func startProcess(logs, name string, env []string, command string, args ...string) (*process, error) {
	p := &process{name: name, log: filepath.Join(logs, name+".log"), done: make(chan struct{})}
	out, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	p.cmd = exec.Command(command, args...)
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = env, out, out
	if err := p.cmd.Start(); err != nil {
		_ = out.Close()
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		_ = p.cmd.Wait()
		_ = out.Close()
		close(p.done)
	}()
	return p, nil
}

// stop ends the process, at first by asking.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(os.Interrupt)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// announced waits until the process says where it listens, and returns the URL. The process was
// given port 0: the system chose a port that no other process can hold.
func (p *process) announced(ctx context.Context) (url string, err error) {
	err = p.poll(ctx, func(context.Context) error {
		text, err := os.ReadFile(p.log)
		if err != nil {
			return err
		}
		found := announcement.FindSubmatch(text)
		if found == nil {
			return mismatch("announcement of "+p.name, "none", announcement)
		}
		url = string(found[1])
		return nil
	})
	return url, err
}

// poll polls until the process has ended, too.
func (p *process) poll(ctx context.Context, ask func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-p.done:
			cancel(fmt.Errorf("%s %w; see %s", p.name, errEnded, p.log))
		case <-ctx.Done():
		}
	}()
	err := poll(ctx, soon, ask)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause
	}
	return err
}

// runCommand runs a command to its end and returns what it printed on its standard output. An error
// holds the end of what it printed on the other.
func runCommand(ctx context.Context, env []string, stdin io.Reader, command string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, command, args...)
	cmd.Env, cmd.Stdin = env, stdin
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = patience
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%s %s: %w\n%s", filepath.Base(command), args[0], err, lastLines(stderr.String(), 30))
	}
	return stdout.String(), nil
}

// printLogs prints the end of each log.
func printLogs(out io.Writer, files []string) {
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err == nil {
			fmt.Fprintf(out, "---- end of %s\n%s\n", file, lastLines(string(text), 40))
		}
	}
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// lookJava finds the program that runs DynamoDB Local.
func lookJava() (string, error) { return exec.LookPath("java") }

// environ is this process's environment without the names, and with what is added.
func environ(drop func(name string) bool, add map[string]string) []string {
	kept := slices.DeleteFunc(os.Environ(), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		_, replaced := add[name]
		return replaced || drop(name)
	})
	for name, value := range add {
		kept = append(kept, name+"="+value)
	}
	return kept
}

func get(ctx context.Context, url string) (status int, body []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, err
	}
	return do(r)
}

// do sends a request and reads the answer, up to 1 MiB.
func do(r *http.Request) (status int, body []byte, err error) {
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err = io.ReadAll(io.LimitReader(response.Body, 1<<20))
	return response.StatusCode, body, err
}

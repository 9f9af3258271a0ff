//go:build system

package systemtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// process is a server that runs for the time of the test. Its output goes to a file.
type process struct {
	name string
	log  string // file
	cmd  *exec.Cmd
	done chan struct{} // closed at its end
}

// maxStop is how long a process may take to end after an interrupt; SAM removes its containers
// then.
const maxStop = 5 * time.Minute

// errEnded is the error of a process that ends before it answers.
var errEnded = errors.New("ended before it answered")

// announcement is the line by which the servers of moto, of the SAM CLI and LoopbackDynamoDB report
// where they listen.
var announcement = regexp.MustCompile(`Running on (http://[0-9.]+:[0-9]+)`)

// launch runs a command in the background.
func (s *system) launch(t *testing.T, name string, env []string, command string, args ...string) *process {
	t.Helper()
	p := &process{name: name, log: filepath.Join(s.logs(), name+".log"), done: make(chan struct{})}
	out, err := os.Create(p.log)
	if err != nil {
		t.Fatal(err)
	}
	p.cmd = exec.Command(command, args...)
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = env, out, out
	if err := p.cmd.Start(); err != nil {
		_ = out.Close()
		t.Fatalf("start %s: %v", name, err)
	}
	go func() {
		_ = p.cmd.Wait()
		_ = out.Close()
		close(p.done)
	}()
	t.Cleanup(p.stop)
	return p
}

// stop interrupts the process, and kills it if that does not end it.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(os.Interrupt)
	timer := time.NewTimer(maxStop)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// waitURL waits until the process reports where it listens, and returns that. The process was given
// port 0: the system chose a port that no other process can hold. A process that also listens
// outside 127.0.0.1 fails the test.
func (p *process) waitURL(ctx context.Context, t *testing.T) (url string) {
	t.Helper()
	err := p.poll(ctx, func(context.Context) error {
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
	if err != nil {
		t.Fatal(err)
	}
	requireLoopback(ctx, t, url)
	return url
}

// requireLoopback fails the test if the server at a URL of 127.0.0.1 answers at any other address
// of this machine. On Linux every machine has 127.0.0.2.
func requireLoopback(ctx context.Context, t *testing.T, url string) {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	others := []string{"127.0.0.2"}
	for _, a := range addresses {
		// A link-local address cannot be dialled without the name of its interface.
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLinkLocalUnicast() && n.IP.String() != "127.0.0.1" {
			others = append(others, n.IP.String())
		}
	}
	_, port, err := net.SplitHostPort(strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	dialer := net.Dialer{Timeout: maxWait}
	for _, other := range others {
		if c, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(other, port)); err == nil {
			_ = c.Close()
			t.Error(mismatch("connection to "+net.JoinHostPort(other, port), "established", "refused: "+url+" alone"))
		}
	}
}

// poll is the function of that name; it ends with the process, too.
func (p *process) poll(ctx context.Context, try func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-p.done:
			cancel(fmt.Errorf("%s %w; see %s", p.name, errEnded, p.log))
		case <-ctx.Done():
		}
	}()
	err := poll(ctx, maxWait, try)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause
	}
	return err
}

// runCommand runs a command to its end and returns its standard output. An error holds the end of
// its standard error.
func runCommand(ctx context.Context, env []string, command string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, command, args...)
	cmd.Env = env
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = maxStop
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%s %s: %w\n%s", filepath.Base(command), args[0], err, lastLines(stderr.String(), 30))
	}
	return stdout.String(), nil
}

// docker runs a docker command.
func docker(ctx context.Context, args ...string) (string, error) {
	return runCommand(ctx, os.Environ(), "docker", args...)
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// environ is the environment of this process without the names that drop reports, and with add.
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

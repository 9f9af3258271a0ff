package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"didit-sessions/internal/didit/didittest"
)

// terminal is the tool on a pseudo-terminal, as an operator has it in front of them.
type terminal struct {
	t       *testing.T
	master  *os.File
	command *exec.Cmd
	ended   chan struct{} // closed when all output has been read

	mu     sync.Mutex
	screen bytes.Buffer
	seen   int // of the screen, by expect
	news   chan struct{}
}

// startTerminal runs the tool in a folder on a terminal of its own.
func startTerminal(t *testing.T, dir string, env map[string]string, args ...string) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip("this machine has no pseudo-terminals:", err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // ends a hanging test
	t.Cleanup(cancel)
	c := exec.CommandContext(ctx, self)
	c.Args = append([]string{"ops"}, args...)
	c.Dir, c.Stdin, c.Stdout, c.Stderr = dir, slave, slave, slave
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	for name, value := range env {
		c.Env = append(c.Env, name+"="+value)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	term := &terminal{t: t, master: master, command: c, ended: make(chan struct{}), news: make(chan struct{}, 1)}
	go term.read()
	return term
}

func (term *terminal) read() {
	defer close(term.ended)
	buffer := make([]byte, 4096)
	for {
		n, err := term.master.Read(buffer)
		term.mu.Lock()
		term.screen.Write(buffer[:n])
		term.mu.Unlock()
		select {
		case term.news <- struct{}{}:
		default:
		}
		if err != nil { // the last process closed the terminal
			return
		}
	}
}

// expect waits until the screen shows the text, after what was expected before.
func (term *terminal) expect(text string) {
	term.t.Helper()
	for ended := false; ; {
		term.mu.Lock()
		rest := term.screen.String()[term.seen:]
		if i := strings.Index(rest, text); i >= 0 {
			term.seen += i + len(text)
			term.mu.Unlock()
			return
		}
		term.mu.Unlock()
		if ended {
			term.t.Fatalf("the screen does not show %q after:\n%s", text, term.text())
		}
		select {
		case <-term.news:
		case <-term.ended:
			ended = true
		case <-time.After(maxStep): // only ends a hanging test
			term.t.Fatalf("the screen does not show %q in time, after:\n%s", text, term.text())
		}
	}
}

// maxStep is far longer than the tool needs for a step on a busy machine.
const maxStep = 2 * time.Minute

// enter types after the screen shows the text.
func (term *terminal) enter(after, input string) {
	term.t.Helper()
	term.expect(after)
	if _, err := term.master.WriteString(input); err != nil {
		term.t.Fatal(err)
	}
}

// exit waits for the end and returns the status.
func (term *terminal) exit() int {
	_ = term.command.Wait()
	<-term.ended
	return term.command.ProcessState.ExitCode()
}

func (term *terminal) text() string {
	term.mu.Lock()
	defer term.mu.Unlock()
	return strings.ReplaceAll(term.screen.String(), "\r\n", "\n")
}

// newDeployWorld returns a folder like the repository's and the environment of a first deployment.
func newDeployWorld(t *testing.T) (dir string, env map[string]string, a *account) {
	t.Helper()
	dir, a = t.TempDir(), newAccount(t)
	if err := copyRepository(dir); err != nil {
		t.Fatal(err)
	}
	sim := &didittest.Server{APIKey: testKey, Workflows: testWorkflows}
	if err := sim.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Close)
	issuer := serveIssuer()
	t.Cleanup(issuer.Close)
	env = a.environment()
	maps.Copy(env, map[string]string{"DIDIT_API_URL": sim.URL(), "SSL_CERT_FILE": filepath.Join(dir, "issuer.pem"), "ISSUER": issuer.URL})
	if err := writeCertificate(issuer, env["SSL_CERT_FILE"]); err != nil {
		t.Fatal(err)
	}
	return dir, env, a
}

// Ensure that the prompts ask in order, ask again after a wrong answer, show no secret, and that
// the answers are in samconfig.toml.
func TestTerminal_deploy(t *testing.T) {
	t.Parallel()
	dir, env, a := newDeployWorld(t)
	a.secrets["secret"] = ""
	term := startTerminal(t, dir, env, "deploy")
	term.enter("Didit API key (hidden; a sandbox key is fine, its sessions are free): ", secretMarker+"-wrong\n")
	term.expect("the key is refused by Didit")
	// What is pasted after the key's line may be the rest of a secret.
	term.enter("Didit API key", testKey+"\n"+secretMarker+"-rest\n")
	term.expect("  accepted: 3 workflows")
	term.expect("Workflow  [1] KYC + AML (published, default)  [2] Age check (published)  [3] Draft (not published, cannot be used)")
	term.enter("  > ", "\n")
	term.expect("an answer is needed")
	term.enter("  > ", "3\n")
	term.expect("the workflow Draft is not published")
	term.enter("  > ", "1\n")
	term.enter("Who calls the API?  [1] signed-in users of an app (JWT)   [2] your own servers (IAM)\r\n  > ", "1\n")
	term.enter("Issuer (iss of the tokens): ", "http://issuer.example.com\n")
	term.expect("JwtIssuer must be empty, or an https URL")
	term.enter("Issuer (iss of the tokens): ", env["ISSUER"]+"/rsa/\n")
	term.expect("the issuer matches, keys are RSA")
	term.enter("Audience, or a token to read it from (hidden, because a token is a secret): ", token(env["ISSUER"]+"/rsa/", `"https://api.example.com"`)+"\n")
	term.expect("  audience https://api.example.com")
	term.enter("Where may the app send users back? (none) ", "myapp://\n")
	// The stack appears with the deployment.
	a.mu.Lock()
	a.stacks["didit-sessions-dev"] = &fakeStack{
		status: "CREATE_COMPLETE", resources: map[string][2]string{},
		outputs: map[string]string{"SecretArn": "secret", "ApiUrl": "https://api", "DashboardUrl": "https://dashboard"},
	}
	for _, name := range []string{"a", "b"} {
		a.stacks["didit-sessions-dev"].resources[name+"Function"] = [2]string{functionKind, name}
		a.functions[name] = func([]byte) ([]byte, string, string) { return []byte("{}"), "", "" }
	}
	a.mu.Unlock()
	term.enter("E-mail address for alarms? (none: alarms are visible in CloudWatch only) ", "ops@example.com\n")
	term.expect("Next       make connect ENV=default")
	if got := term.exit(); got != exitWell {
		t.Fatalf("got status %d:\n%s", got, term.text())
	}
	compareWithREADME(t, term.text())
	if strings.Contains(term.text(), secretMarker) {
		t.Errorf("a secret is on the screen:\n%s", term.text())
	}
	config, _ := os.ReadFile(filepath.Join(dir, samconfigName))
	for _, want := range []string{
		`"WorkflowIds=11111111-2222-3333-4444-555555555555"`, `"CallerAuth=jwt"`, `"JwtIssuer=` + env["ISSUER"] + `/rsa/"`,
		`"JwtAudience=https://api.example.com"`, `"AllowedCallbacks=myapp://"`, `"AlarmEmail=ops@example.com"`,
	} {
		if !strings.Contains(string(config), want) {
			t.Errorf("samconfig.toml lacks %s:\n%s", want, config)
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.secrets["secret"] != keySecret(testKey) {
		t.Error("the key is not in the secret")
	}
}

// compareWithREADME compares the screen that functions/README.md shows with the true one, in which
// there may be more lines. Numbers and addresses differ; a step that takes less than two seconds
// shows nothing.
func compareWithREADME(t *testing.T, screen string) {
	t.Helper()
	readme, err := os.ReadFile("../../../functions/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, shown, found := strings.Cut(string(readme), "```text\n$ make deploy\n")
	shown, _, end := strings.Cut(shown, "```")
	if !found || !end {
		t.Fatal("functions/README.md does not show make deploy")
	}
	lines := strings.Split(screen, "\n")
	for line := range strings.Lines(shown) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "Building ") || strings.HasPrefix(line, "Deploying ") {
			continue
		}
		pattern := regexp.MustCompile(`https://\S+`).ReplaceAllString(regexp.QuoteMeta(line), `https://\S+`)
		pattern = regexp.MustCompile(`\d[\d,.\\]*`).ReplaceAllString(pattern, `\d[\d,.]*`)
		pattern = strings.ReplaceAll(pattern, " ms", " (ms|s)") // of a busy machine
		i := slices.IndexFunc(lines, regexp.MustCompile("^"+pattern+" ?$").MatchString)
		if i < 0 {
			t.Errorf("functions/README.md shows %q, and the screen does not, or in another order:\n%s", line, screen)
			return
		}
		lines = lines[i+1:]
	}
}

// Ensure that Ctrl-C ends a prompt with one sentence, and that nothing was written.
func TestTerminal_interrupt(t *testing.T) {
	t.Parallel()
	for _, first := range []string{"", testKey + "\n"} {
		dir, env, _ := newDeployWorld(t)
		before, _ := os.ReadFile(filepath.Join(dir, samconfigName))
		term := startTerminal(t, dir, env, "deploy")
		if first != "" {
			term.enter("Didit API key", first)
			term.enter("  > ", "\x03")
		} else {
			term.enter("Didit API key", "\x03")
		}
		term.expect("Interrupted. Run the command again to finish")
		if got := term.exit(); got != exitBlind {
			t.Errorf("got status %d, want %d", got, exitBlind)
		}
		if after, _ := os.ReadFile(filepath.Join(dir, samconfigName)); string(after) != string(before) {
			t.Error("samconfig.toml was changed")
		}
	}
}

// Ensure that the end of input, and three wrong answers, end a prompt.
func TestTerminal_end(t *testing.T) {
	t.Parallel()
	dir, env, _ := newDeployWorld(t)
	term := startTerminal(t, dir, env, "deploy")
	term.enter("Didit API key", testKey+"\n")
	term.enter("  > ", "\x04")
	term.expect("standard input ended before the answer")
	if got := term.exit(); got != exitBlind {
		t.Errorf("got status %d, want %d", got, exitBlind)
	}
	term = startTerminal(t, dir, env, "deploy")
	for range maxTries {
		term.enter("Didit API key", "wrong\n")
	}
	term.expect("3 wrong answers; start again, or set DIDIT_API_KEY")
	if got := term.exit(); got != exitBlind {
		t.Errorf("got status %d, want %d", got, exitBlind)
	}
}

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"didit-sessions/internal/didit/didittest"
)

// unhurried waits, and shows no progress, however busy the machine is.
var unhurried = timing{patience: time.Hour}

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"ops":  func() { os.Exit(program(unhurried)) },
		"sam":  standInSAM,
		"make": standInSAM, // of deploy, which installs the SAM CLI with it
	})
}

// Ensure that the commands do what the scripts of testdata/script say. A script runs in a folder
// with the repository's samconfig.toml and template.yaml, a stand-in for the SAM CLI, and an AWS
// account of its own.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(e *testscript.Env) error {
			a := newAccount(cleaner{e})
			e.Values["account"] = a
			for name, value := range a.environment() {
				e.Setenv(name, value)
			}
			sim := &didittest.Server{APIKey: testKey, Workflows: testWorkflows}
			if err := sim.Start(); err != nil {
				return err
			}
			e.Defer(sim.Close)
			e.Values["didit"] = sim
			e.Setenv("DIDIT_API_URL", sim.URL())
			if err := startIssuer(e); err != nil {
				return err
			}
			e.Setenv("CI", "true")
			e.Setenv("HOME", e.WorkDir)
			return copyRepository(e.WorkDir)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"stack": cmdStack, "refuse": cmdRefuse, "called": cmdCalled, "noleak": cmdNoLeak, "exits": cmdExits,
			"function": cmdFunction, "secret": cmdSecret, "table": cmdTable, "concurrency": cmdConcurrency, "token": cmdToken, "rule": cmdRule,
		},
	})
}

// cleaner ends what a script started.
type cleaner struct{ *testscript.Env }

func (c cleaner) Cleanup(f func()) { c.Defer(f) }

// copyRepository puts into a folder what the tool reads of the repository.
func copyRepository(dir string) error {
	for _, name := range []string{"samconfig.toml", "template.yaml"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "..", name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0o600)
		}
		if err != nil {
			return err
		}
	}
	bin := filepath.Join(dir, ".venv", "bin")
	if err := os.MkdirAll(bin, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(bin, "sam"), []byte("#!/bin/sh\nexec sam \"$@\"\n"), 0o700)
}

// standInSAM records its arguments and environment in sam.log, as JSON, a line each, and fails if
// there is a file sam.fails, which holds what it prints. Make is played in the same way.
func standInSAM() {
	line, _ := json.Marshal(map[string]any{"command": os.Args[0], "args": os.Args[1:], "env": os.Environ()})
	f, err := os.OpenFile("sam.log", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = fmt.Fprintf(f, "%s\n", line)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	fmt.Println(os.Args[0], strings.Join(os.Args[1:], " "))
	if text, err := os.ReadFile("sam.fails"); err == nil {
		fmt.Fprint(os.Stderr, string(text))
		os.Exit(1)
	}
}

// cmdExits runs the tool and compares its exit status: exits STATUS VERB [ARGUMENT]...
func cmdExits(ts *testscript.TestScript, _ bool, args []string) {
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](ts.Exec("ops", args[1:]...)); ok {
		got = exit.ExitCode()
	}
	if fmt.Sprint(got) != args[0] {
		ts.Fatalf("ops %s: got status %d, want %s; stderr: %s", strings.Join(args[1:], " "), got, args[0], ts.ReadFile("stderr"))
	}
}

func accountOf(ts *testscript.TestScript) *account { return ts.Value("account").(*account) }

// cmdStack puts a stack into the account: stack NAME STATUS, then any number of output NAME=VALUE,
// parameter NAME=VALUE, and resource ID=TYPE=PHYSICAL.
func cmdStack(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 || len(args)%2 != 0 {
		ts.Fatalf("usage: stack NAME STATUS [KIND NAME=VALUE]...")
	}
	s := &fakeStack{status: args[1], outputs: map[string]string{}, parameters: map[string]string{}, resources: map[string][2]string{}}
	for i := 2; i < len(args); i += 2 {
		name, value, _ := strings.Cut(args[i+1], "=")
		switch args[i] {
		case "output":
			s.outputs[name] = value
		case "parameter":
			s.parameters[name] = value
		case "resource":
			kind, physical, _ := strings.Cut(value, "=")
			s.resources[name] = [2]string{kind, physical}
		default:
			ts.Fatalf("stack: %s is no kind", args[i])
		}
	}
	a := accountOf(ts)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stacks[args[0]] = s; s.status == "gone" {
		delete(a.stacks, args[0])
	}
}

// cmdRefuse makes an operation fail: refuse OPERATION CODE MESSAGE.
func cmdRefuse(ts *testscript.TestScript, _ bool, args []string) {
	a := accountOf(ts)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.refuse[args[0]] = refusal{args[1], args[2]}
}

// cmdCalled looks whether operations were called: [!] called OPERATION...
func cmdCalled(ts *testscript.TestScript, neg bool, args []string) {
	a := accountOf(ts)
	a.mu.Lock()
	defer a.mu.Unlock()
	all := "\n" + strings.Join(a.calls, "\n") + "\n"
	for _, operation := range args {
		if strings.Contains(all, "\n"+operation+"\n") == neg {
			ts.Fatalf("called: got %q, want %s: %t", a.calls, operation, !neg)
		}
	}
}

// cmdNoLeak looks for secrets in what the last command printed, and in the arguments and the
// environment of the children.
func cmdNoLeak(ts *testscript.TestScript, _ bool, _ []string) {
	log, _ := os.ReadFile(ts.MkAbs("sam.log"))
	for name, text := range map[string]string{"stdout": ts.ReadFile("stdout"), "stderr": ts.ReadFile("stderr"), "sam.log": string(log)} {
		// The children need AWS credentials.
		if strings.Contains(strings.ReplaceAll(text, secretMarker+"-aws-key", ""), secretMarker) {
			ts.Fatalf("%s has a secret in it", name)
		}
	}
}

// cmdFunction puts a function into the account: function NAME [ERROR LOG], which answers every
// probe with {}, or fails with the error and the log.
func cmdFunction(ts *testscript.TestScript, _ bool, args []string) {
	a := accountOf(ts)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.functions[args[0]] = func([]byte) ([]byte, string, string) {
		if len(args) > 1 {
			return []byte(args[1]), "Unhandled", args[2]
		}
		return []byte("{}"), "", ""
	}
}

// cmdSecret sets a secret, or compares it: [!] secret ID [VALUE]. With a !, it has no such value.
func cmdSecret(ts *testscript.TestScript, neg bool, args []string) {
	a := accountOf(ts)
	a.mu.Lock()
	defer a.mu.Unlock()
	switch value, found := a.secrets[args[0]]; {
	case !found && len(args) == 1:
		a.secrets[args[0]] = ""
	case (value == args[1]) == neg:
		ts.Fatalf("the secret %s: equal %t, want %t", args[0], !neg, neg)
	}
}

// cmdTable puts a table into the account: table NAME.
func cmdTable(ts *testscript.TestScript, _ bool, args []string) {
	a := accountOf(ts)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tables = append(a.tables, args...)
}

// cmdConcurrency sets what the account may run at once: concurrency N.
func cmdConcurrency(ts *testscript.TestScript, _ bool, args []string) {
	a := accountOf(ts)
	a.mu.Lock()
	defer a.mu.Unlock()
	_, err := fmt.Sscan(args[0], &a.limit)
	ts.Check(err)
}

// cmdRule puts a rule on the bus, or takes it away: [!] rule NAME.
func cmdRule(ts *testscript.TestScript, neg bool, args []string) {
	a := accountOf(ts)
	a.mu.Lock()
	defer a.mu.Unlock()
	if neg {
		a.rules = slices.DeleteFunc(a.rules, func(name string) bool { return name == args[0] })
		return
	}
	a.rules = append(a.rules, args[0])
}

package repotest

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Ensure that the Makefile has the targets of the public contract, and that each command that a
// document names is a target with an explanation.
func TestMakefile(t *testing.T) {
	t.Parallel()
	targets := all(`(?m)^([a-z-]+):.*## `, read(t, "Makefile"))
	documents := files(t, "", ".md")
	documents[".ci/run"] = read(t, ".ci/run")
	for path, text := range documents {
		for _, name := range all(`(?:^|[\x60\s])make ([a-z][a-z-]+)`, commands(text)) {
			if !slices.Contains(targets, name) {
				t.Errorf("%s: make %s is not a target", path, name)
			}
		}
	}
	for _, want := range []string{"run", "demo", "test", "check", "build", "bench", "fuzz", "invoke", "simulator", "trigger", "page", "validate", "sam-build", "sam-invoke", "system", "deploy", "connect", "session", "doctor", "replay", "destroy", "clean"} {
		if !slices.Contains(targets, want) {
			t.Errorf("there is no make %s", want)
		}
	}
}

// Ensure that a Go that is too old is named with its version, and one that fetches the right one
// passes.
func TestMakefile_needGo(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ version, toolchain, want string }{
		{"1.19.8", "", "Go 1.19 found; 1.26 is needed (1.21 and newer fetch it)"},
		{"1.21", "auto", ""},
		{"1.24.1", "local", "Go 1.24 found; 1.26 is needed"},
		{"1.26.0", "local", ""},
	} {
		bin := t.TempDir()
		script := "#!/bin/sh\ncase \"$*\" in version) echo go version go" + test.version + " linux/amd64;; *GOTOOLCHAIN) echo " + test.toolchain +
			";; *GOCACHE) echo " + bin + ";; esac\n"
		if err := os.WriteFile(filepath.Join(bin, "go"), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
		command := exec.Command("make", "--no-print-directory", "need-go")
		command.Dir = root
		command.Env = append(os.Environ(), "PATH="+bin+":/usr/bin:/bin")
		out, err := command.CombinedOutput()
		if (err == nil) != (test.want == "") || !strings.Contains(string(out), test.want) {
			t.Errorf("go %s, GOTOOLCHAIN=%s: got %q, %v, want %q", test.version, test.toolchain, out, err, test.want)
		}
	}
}

// Ensure that each target gets the deployment or the function that its arguments name.
func TestMakefile_arguments(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ arguments, environment, want string }{
		{"trigger", "", "ENV=local bin/ops trigger"},
		{"trigger ENV=dev", "", "ENV=default bin/ops trigger"},
		{"trigger", "ENV=dev", "ENV=default bin/ops trigger"},
		{"trigger ENV=prod", "", "ENV=prod bin/ops trigger"},
		{"trigger ENV=local", "", "ENV=local bin/ops trigger"},
		{"session", "", "ENV=default bin/ops session"},
		{"session ENV=dev", "", "ENV=default bin/ops session"},
		{"invoke EVENT=events/createsession-http-full.json", "", `-function "createsession" -event "events/createsession-http-full.json"`},
		{"invoke EVENT=getsession-mine.json", "", `-function "getsession" -event "getsession-mine.json"`},
		{"invoke EVENT=/tmp/event.json", "", `-function "event" -event "/tmp/event.json"`},
		{"invoke EVENT=/tmp/event.json FUNCTION=webhook", "", `-function "webhook" -event "/tmp/event.json"`},
	} {
		command := exec.Command("make", append([]string{"--no-print-directory", "-n"}, strings.Fields(test.arguments)...)...)
		command.Dir = root
		command.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "ENV=") || strings.HasPrefix(v, "MAKE") })
		if test.environment != "" {
			command.Env = append(command.Env, test.environment)
		}
		if out, err := command.CombinedOutput(); err != nil || !strings.Contains(string(out), test.want) {
			t.Errorf("%s make %s: got %q, %v, want %q", test.environment, test.arguments, out, err, test.want)
		}
	}
}

// commands returns the code of a document, or all of it if it has none.
func commands(text string) string {
	code := all("(?s)(```.+?```|`[^`\n]+`)", text)
	if len(code) == 0 {
		return text
	}
	return strings.Join(code, "\n")
}

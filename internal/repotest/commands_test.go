package repotest

import (
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
	for _, want := range []string{"run", "demo", "test", "check", "build", "bench", "fuzz", "invoke", "simulator", "validate", "sam-build", "sam-invoke", "system", "deploy", "destroy", "clean"} {
		if !slices.Contains(targets, want) {
			t.Errorf("there is no make %s", want)
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

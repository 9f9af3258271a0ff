package repotest

import (
	"regexp"
	"testing"
)

// Ensure that every tool comes in one version: actions by commit, the others by number.
func TestPinned(t *testing.T) {
	t.Parallel()
	for _, uses := range all(`uses: (.+)`, read(t, ".github/workflows/ci.yml")) {
		if !regexp.MustCompile(`^[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`).MatchString(uses) {
			t.Errorf("the action %s is not pinned to a commit, with its version in a comment", uses)
		}
	}
	for _, tool := range all(`(\w+\.\w+/\S+@\S+)`, read(t, "Makefile")) {
		if !regexp.MustCompile(`@v\d+\.\d+\.\d+$`).MatchString(tool) {
			t.Errorf("the tool %s has no version", tool)
		}
	}
	for _, tool := range all(`(?m):= (@?[a-z/-]+@\S+)$`, read(t, "Makefile")) { // npm's
		if !regexp.MustCompile(`@\d+\.\d+\.\d+$`).MatchString(tool) {
			t.Errorf("the tool %s has no version", tool)
		}
	}
	for path, text := range files(t, "internal", ".xml") { // Maven's
		for _, version := range all(`<version>(.+)</version>`, text) {
			if !regexp.MustCompile(`^\d[\w.]*$`).MatchString(version) {
				t.Errorf("%s: %s is not a version", path, version)
			}
		}
	}
	for path, text := range files(t, ".ci", "/package.json") {
		for _, version := range all(`": "([^"]*\d[^"]*)"`, text) {
			if !regexp.MustCompile(`^\d+\.\d+\.\d+$`).MatchString(version) {
				t.Errorf("%s: %s is not a version", path, version)
			}
		}
	}
	for path, text := range files(t, ".ci", "requirements.txt") {
		for _, line := range all(`(?m)^([^#\n].*)$`, text) {
			if !regexp.MustCompile(`^[\w.-]+==[\w.]+$`).MatchString(line) {
				t.Errorf("%s: %s has no version", path, line)
			}
		}
	}
}

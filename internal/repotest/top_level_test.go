package repotest

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Ensure that nothing in the repository looks like a real secret.
func TestNoSecrets(t *testing.T) {
	t.Parallel()
	looksReal := regexp.MustCompile(`AKIA[0-9A-Z]{16}|-----BEGIN [A-Z ]*PRIVATE KEY|eyJ[A-Za-z0-9_-]{30,}\.eyJ[A-Za-z0-9_-]{30,}`)
	for _, dir := range []string{"events", "functions", "internal"} {
		for path, text := range files(t, dir, "") {
			if found := looksReal.FindString(text); found != "" {
				t.Errorf("%s holds what looks like a secret: %.12s…", path, found)
			}
		}
	}
}

// Ensure that the top level holds what belongs there and nothing else.
func TestTopLevel(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	allowed := []string{"LICENSE", "Makefile", "README.md", "bin", "events", "functions", "go.mod", "go.sum", "internal", "samconfig.toml", "template.yaml"}
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), ".") && !slices.Contains(allowed, entry.Name()) {
			t.Errorf("%s does not belong at the top level", entry.Name())
		}
	}
}

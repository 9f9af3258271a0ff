package repotest

import (
	"regexp"
	"strings"
	"testing"
)

// Ensure that every target works in a folder whose path contains a space: what make and the SAM CLI
// put into recipes as absolute paths, and what users pass as one, is quoted.
func TestMakefile_paths(t *testing.T) {
	t.Parallel()
	path := regexp.MustCompile(`\$\((?:CURDIR|ARTIFACTS_DIR|EVENT|PWD)\)|\$\$\{?PWD\b`)
	found := 0
	for n, line := range strings.Split(read(t, "Makefile"), "\n") {
		for _, at := range path.FindAllStringIndex(line, -1) {
			found++
			before := line[:at[0]]
			if strings.Count(before, `"`)%2 == 0 && !strings.HasSuffix(before, "$(notdir ") { // make's own function
				t.Errorf("Makefile:%d: %s is not quoted: %s", n+1, line[at[0]:at[1]], line)
			}
		}
	}
	if found == 0 {
		t.Error("the Makefile has no path")
	}
}

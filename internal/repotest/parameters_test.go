package repotest

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"didit-sessions/internal/verification"
)

// Ensure that the reference's table of fields has those that create takes.
func TestParameters(t *testing.T) {
	t.Parallel()
	table := section(t, read(t, reference), "### `POST /sessions`", "\n### ")
	var documented []string
	for _, row := range regexp.MustCompile("(?m)^\\| (`.+?) \\|").FindAllStringSubmatch(table, -1) {
		object := ""
		for _, name := range all("`([a-z_.]+)`", row[1]) {
			if prefix, _, dotted := strings.Cut(name, "."); dotted && prefix != "" {
				object = prefix
			}
		}
		for _, name := range all("`([a-z_.]+)`", row[1]) {
			if strings.HasPrefix(name, ".") {
				name = object + name
			}
			documented = append(documented, name)
			if !verification.KnownField(name) {
				t.Errorf("%s has %s, which create does not take", reference, name)
			}
		}
	}
	taken := 0
	for _, text := range files(t, "internal/verification", ".go") {
		for _, path := range all(`"([a-z_]+(?:\.[a-z_]+)?)"`, text) {
			if !verification.KnownField(path) || path == "contact_details" || path == "expected_details" {
				continue
			}
			taken++
			if !slices.Contains(documented, path) {
				t.Errorf("the table of fields of %s does not have %s", reference, path)
			}
		}
	}
	if taken < len(documented) {
		t.Errorf("create takes %d fields, %d are documented", taken, len(documented))
	}
}

package repotest

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// Ensure that each event belongs to a function, is valid JSON, is used by that function's test, and
// is described.
func TestEvents(t *testing.T) {
	t.Parallel()
	var names []string
	for path, text := range files(t, "events", ".json") {
		names = append(names, filepath.Base(path))
		function, name, _ := strings.Cut(strings.TrimSuffix(filepath.Base(path), ".json"), "-")
		if !json.Valid([]byte(text)) {
			t.Errorf("%s is not JSON", path)
		}
		used := false
		for _, test := range files(t, "functions/"+function, "_test.go") {
			used = used || strings.Contains(test, `"`+name+`"`)
		}
		if !used {
			t.Errorf("%s is used by no test of functions/%s", path, function)
		}
	}
	same(t, "events of events/README.md", all("(?m)^\\| `(\\S+\\.json)` \\|", read(t, "events/README.md")), all("(?m)^(.+)$", strings.Join(names, "\n")))
}

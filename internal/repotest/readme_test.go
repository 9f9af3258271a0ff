package repotest

import (
	"encoding/json"
	"net/url"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
)

// Ensure that the first page stays short.
func TestREADME_size(t *testing.T) {
	t.Parallel()
	if size := len(read(t, "README.md")); size > 14_000 {
		t.Errorf("README.md has %d bytes, want at most 14,000: move details to %s or internal/README.md", size, reference)
	}
}

// Ensure that every relative link of a document leads to a file, and its fragment to a heading
// there.
func TestREADME_links(t *testing.T) {
	t.Parallel()
	for name, text := range files(t, "", ".md") {
		for _, link := range all(`\]\(([^)\s]+)\)`, text) {
			u, err := url.Parse(link)
			if err != nil || u.IsAbs() {
				continue
			}
			target := name
			if u.Path != "" {
				target = path.Join(path.Dir(name), u.Path)
			}
			if _, err := os.Stat(root + target); err != nil {
				t.Errorf("%s: the link %s leads nowhere", name, link)
			} else if u.Fragment != "" && !anchors(read(t, target))[u.Fragment] {
				t.Errorf("%s: the link %s leads to no heading of %s", name, link, target)
			}
		}
	}
}

// anchors returns the fragments of a document's headings, formed as GitHub does.
func anchors(text string) map[string]bool {
	found := map[string]bool{}
	text = regexp.MustCompile("(?s)```.+?```").ReplaceAllString(text, "")
	for _, heading := range all(`(?m)^#+ (.+)$`, text) {
		kept := regexp.MustCompile(`[^a-z0-9 _-]`).ReplaceAllString(strings.ToLower(heading), "")
		found[strings.ReplaceAll(kept, " ", "-")] = true
	}
	return found
}

// Ensure that the JSON examples of all documents are JSON. A fragment of an object counts.
func TestREADME_json(t *testing.T) {
	t.Parallel()
	for name, text := range files(t, "", ".md") {
		for _, example := range all("(?s)```json\n(.+?)```", text) {
			if !json.Valid([]byte(example)) && !json.Valid([]byte("{"+example+"}")) {
				t.Errorf("%s: not JSON:\n%s", name, example)
			}
		}
	}
}

// Ensure that the source files that a document names exist.
func TestREADME_files(t *testing.T) {
	t.Parallel()
	for name, text := range files(t, "", ".md") {
		for _, file := range all("`([a-z_/]+/[a-z_]+\\.(?:go|json))`", text) {
			missing := true
			for _, dir := range []string{path.Dir(name), "internal", "functions", "."} {
				if _, err := os.Stat(root + path.Join(dir, file)); err == nil {
					missing = false
				}
			}
			if missing {
				t.Errorf("%s: there is no %s", name, file)
			}
		}
	}
}

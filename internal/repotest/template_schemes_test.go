package repotest

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"didit-sessions/internal/verification"
)

// Ensure that AllowedCallbacks excludes the schemes that are no app's, and no others: with one more
// a stack would refuse an app, with one less its functions would not start.
func TestTemplateSchemes(t *testing.T) {
	t.Parallel()
	pattern, _ := at(parseTemplate(t).parameters["AllowedCallbacks"], "AllowedPattern").(string)
	excluded := regexp.MustCompile(`^\^\(\?!\(\.\*,\)\? \*\(\((.*?)\):`).FindStringSubmatch(pattern)
	if excluded == nil {
		t.Fatalf("%s: no schemes are excluded", pattern)
	}
	names := strings.Split(excluded[1], "|")
	for _, name := range names {
		if scheme := strings.ReplaceAll(name, `\`, ""); !strings.Contains(name, "[") && verification.IsAppScheme(scheme) {
			t.Errorf("%s: excluded, but an app's to the functions", scheme)
		}
	}
	for _, words := range regexp.MustCompile("(?s)`(.*?)`").FindAllStringSubmatch(read(t, "internal/verification/scheme.go"), -1) {
		for scheme := range strings.FieldsSeq(words[1]) {
			if !slices.Contains(names, regexp.QuoteMeta(scheme)) {
				t.Errorf("%s: not excluded, but no app's to the functions", scheme)
			}
		}
	}
}

package config

import (
	"slices"
	"strings"
	"testing"
)

// Ensure that the metrics of two deployments have different namespaces, and that a name which
// CloudWatch would refuse is refused at the start.
func TestLoadNamespace(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"": "DiditSessions", " ": "DiditSessions", "didit-sessions-dev": "DiditSessions/didit-sessions-dev",
		strings.Repeat("a", 128): "DiditSessions/" + strings.Repeat("a", 128),
		"a b":                    "", "-a": "", "1a": "", `a"b`: "", "a/b": "", "é": "", strings.Repeat("a", 129): "",
	} {
		got, err := LoadNamespace(from(map[string]string{StackName: name}))
		if want == "" {
			if !slices.Equal(names(err), []string{StackName}) {
				t.Errorf("%q: got %v, want one problem that names the variable", name, err)
			}
		} else if err != nil || got != want {
			t.Errorf("%q: got %q, error %v, want %q", name, got, err, want)
		}
	}
}

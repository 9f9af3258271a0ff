package repotest

import (
	"slices"
	"testing"

	"didit-sessions/internal/config"
)

// loaders load the configuration of each function, by its directory.
var loaders = map[string]func(getenv func(string) string) error{
	"createsession": func(f func(string) string) error { _, err := config.LoadCreateSession(f); return err },
	"getsession":    func(f func(string) string) error { _, err := config.LoadGetSession(f); return err },
	"webhook":       func(f func(string) string) error { _, err := config.LoadWebhook(f); return err },
	"trackstatus":   func(f func(string) string) error { _, err := config.LoadTrackStatus(f); return err },
	"awaitdecision": func(f func(string) string) error { _, err := config.LoadAwaitDecision(f); return err },
	"reconcile":     func(f func(string) string) error { _, err := config.LoadReconcile(f); return err },
	"eraseuser":     func(f func(string) string) error { _, err := config.LoadEraseUser(f); return err },
	"getdecision":   func(f func(string) string) error { _, err := config.LoadGetDecision(f); return err },
}

// Ensure that code, template and reference have the same variables, and that the template gives
// each function those that it reads.
func TestVariables(t *testing.T) {
	t.Parallel()
	inCode := constants(t, "internal/config/config.go", func(string) bool { return true })
	same(t, "variables of "+reference, all("(?m)^\\| `([A-Z_]+)` \\|", section(t, read(t, reference), "## Configuration", "\n## ")), inCode)
	for _, name := range functions(t) {
		load := loaders[name]
		if load == nil {
			t.Errorf("functions/%s: its configuration is not tested here", name)
			continue
		}
		var reads []string
		getenv := func(variable string) string { reads = append(reads, variable); return "" }
		_ = load(getenv)
		_, _ = config.LoadNamespace(getenv) // package start does, for each function
		slices.Sort(reads)
		same(t, "variables of "+name+" in template.yaml", all(`(?m)^ {10}([A-Z_]+):`, resource(t, name)), slices.Compact(reads))
	}
}

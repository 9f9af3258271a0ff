package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"didit-sessions/internal/awsfake"
)

// Ensure that a small load loses nothing, and that sessions are really verified.
func TestLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and starts real functions")
	}
	t.Parallel()
	p := &loadPlan{sessions: 4, lasts: 2 * time.Second, think: 100 * time.Millisecond, deliveries: 60}
	var progress strings.Builder
	figures, err := p.run(t.Context(), &progress)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	figures.print(&out)
	if figures.answers["verified"] < p.sessions || figures.answers["shuffled deliveries accepted"] != p.deliveries ||
		!strings.Contains(out.String(), "no answer outside the contract: held") || !strings.Contains(figures.table(), "`webhook`") {
		t.Errorf("got\n%s", &out)
	}
}

// Ensure that an answer outside the contract, and a session that is lost, fail the load.
func TestLoad_wrong(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and starts real functions")
	}
	t.Parallel()
	p := &loadPlan{sessions: 2, deliveries: 20, broken: func(l *load) { l.world.Bus.Fail(awsfake.EntryDenied, awsfake.UntilCleared) }}
	if figures, err := p.run(t.Context(), &strings.Builder{}); err == nil || len(figures.wrong) == 0 {
		t.Errorf("with a bus that denies every event: got %v", err)
	}
}

// Ensure that memory which grows is noticed, and memory which was given back is not.
func TestMemory_flat(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		first, last float64
		want        bool
	}{{20, 20, true}, {20, 10, true}, {20, 22, true}, {20, 22.1, false}, {100, 106, true}, {100, 106.1, false}} {
		if got := (&memory{sample{test.first}, sample{test.last}}).flat(); got != test.want {
			t.Errorf("from %g to %g MiB: got flat %v, want %v", test.first, test.last, got, test.want)
		}
	}
}

// Ensure that a table is replaced between its marks, and that nothing is written without them.
func TestFill(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "README.md")
	const marked = "before\n<!-- bench: bounds -->\nold\n<!-- bench: end of bounds -->\nafter\n"
	for _, test := range []struct{ text, want string }{
		{marked, strings.Replace(marked, "old\n", "| new |\n", 1)}, {"without marks\n", "without marks\n"},
		{"<!-- bench: bounds -->\nwithout an end\n", "<!-- bench: bounds -->\nwithout an end\n"},
	} {
		if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := fill(path, "bounds", "| new |\n")
		if got, _ := os.ReadFile(path); string(got) != test.want || (err == nil) != (test.text == marked) {
			t.Errorf("got %q, error %v, want %q", got, err, test.want)
		}
	}
}

// Ensure that the table has each bound of each function, by a name, with its verdict.
func TestBoundsTable(t *testing.T) {
	t.Parallel()
	f := function{label: "`createsession`", bounds: map[string]bound{
		"far/cold ms/op": {text: "4 round trips + 30 ms", most: 190}, "far/warm ms/op": {text: "1.03 × floor", ofFloor: 1.03}}}
	got := boundsTable(full, []report{{f, newFigures(measured())}})
	for _, want := range []string{
		"| `createsession`: cold start, ms | 190 | 130 | 190 (4 round trips + 30 ms) | yes |\n",
		"| `createsession`: warm call, ms | 42.5 | 40 | 41.2 (1.03 × floor) | **no** |\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	for _, f := range functions {
		for key := range f.bounds {
			if benchmarkNames[key] == "" || f.label == "" {
				t.Errorf("%s: the bound for %s has no name", f.key, key)
			}
		}
	}
}

// Package stagetest runs a function in its tests: the binary as it ships, with everything that it
// talks to on loopback (package stage). Only the tests under functions/ use it.
//
//	func TestMain(m *testing.M) { stagetest.Main(m, "webhook") }
//
//	w := stagetest.New(t, lambdatest.Options{})
//	answer := w.HTTP(t, stagetest.Event(t, "http-approved"))
//
// It makes no assertions about the function: a test looks at answers, at logs, and at what reached
// the services.
package stagetest

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"didit-sessions/internal/lambdatest"
)

// A test binary tests one function.
var (
	function string // its directory under functions/
	binary   string // built as it ships, but for this machine
)

// Main builds the function of that directory under functions/ once for all tests of the package,
// and runs them. It does not return.
func Main(m *testing.M, name string) {
	dir, err := os.MkdirTemp("", name)
	if err == nil {
		function, binary = name, filepath.Join(dir, "bootstrap")
		err = lambdatest.Build(context.Background(), "./functions/"+name, binary)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// Binary returns the path of the function, built as it ships, but for this machine.
func Binary(t testing.TB) string {
	t.Helper()
	if err := readSources(); err != nil {
		t.Fatal(err)
	}
	return binary
}

// readSources reads the directories of the binary's sources, once, from within a test. It makes
// them inputs of the test, so that go test does not take the result for another binary out of its
// cache. Without it they are not: the linker leaves out of the test's own program what only main
// reaches.
var readSources = sync.OnceValue(func() error {
	for _, path := range []string{"../../go.mod", "../../go.sum"} {
		if _, err := os.Stat(path); err != nil {
			return err
		}
	}
	for _, dir := range []string{".", "../../internal"} {
		// A test that reads a directory depends on the sizes and times of its files.
		if err := filepath.WalkDir(dir, func(_ string, _ fs.DirEntry, err error) error { return err }); err != nil {
			return err
		}
	}
	return nil
})

// Event reads a recorded payload of the function: "http-one" is events/<function>-http-one.json.
func Event(t testing.TB, name string) []byte {
	t.Helper()
	payload, err := os.ReadFile("../../events/" + function + "-" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

// Edit returns the payload, a JSON object, after change has edited it.
func Edit(t *testing.T, payload []byte, change func(members map[string]any)) []byte {
	t.Helper()
	var members map[string]any
	if err := json.Unmarshal(payload, &members); err != nil {
		t.Fatal(err)
	}
	change(members)
	edited, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return edited
}

// Object returns the object at the path of names in a decoded JSON object; nil if there is none.
func Object(members map[string]any, names ...string) map[string]any {
	for _, name := range names {
		members, _ = members[name].(map[string]any)
	}
	return members
}

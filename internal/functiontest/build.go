// Package functiontest runs a function in its tests: the binary as it ships, with everything around it
// played on loopback. It is for the tests under functions/ alone; nothing that ships imports it.
//
//	func TestMain(m *testing.M) { functiontest.Main(m, "webhook") }
//
//	w := functiontest.New(t, functiontest.Options{})
//	answer := w.HTTP(t, functiontest.Event(t, "http-approved"))
//
// It asserts nothing about the function: a test looks at answers, logs, and what reached the services.
package functiontest

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

// What the process tests. A test binary has one function.
var (
	function string // its directory under functions/
	binary   string // as it ships, but for this machine
)

// Main builds the function, named by its directory, once for all tests of the package, and runs
// them. It does not return.
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

// Binary is the function as it ships, but for this machine.
func Binary(t *testing.T) string {
	t.Helper()
	if err := consult(); err != nil {
		t.Fatal(err)
	}
	return binary
}

// consult looks at the sources of the binary, once, from within a test: go test then takes no result out of
// its cache that another binary has earned. It cannot know by itself, because the linker leaves out of the
// test's own program what only main reaches.
var consult = sync.OnceValue(func() error {
	for _, path := range []string{"../../go.mod", "../../go.sum"} {
		if _, err := os.Stat(path); err != nil {
			return err
		}
	}
	for _, dir := range []string{".", "../../internal"} {
		// To read a directory is to depend on all its files, by their sizes and times.
		if err := filepath.WalkDir(dir, func(_ string, _ fs.DirEntry, err error) error { return err }); err != nil {
			return err
		}
	}
	return nil
})

// Event reads the function's recorded payload of that name: of "http-one", events/<function>-http-one.json.
func Event(t *testing.T, name string) []byte {
	t.Helper()
	payload, err := os.ReadFile("../../events/" + function + "-" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

// Edit returns the payload, a JSON object, as change leaves it.
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

// Object is the object under the names, one within the other, of a decoded JSON object.
func Object(members map[string]any, names ...string) map[string]any {
	for _, name := range names {
		members, _ = members[name].(map[string]any)
	}
	return members
}

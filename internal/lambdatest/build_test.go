package lambdatest_test

import (
	"debug/elf"
	"path/filepath"
	"testing"

	"didit-sessions/internal/lambdatest"
)

// Ensure that a binary for Lambda is for Linux and for the requested processor, on any machine.
func TestBuildLambda(t *testing.T) {
	t.Parallel()
	for goarch, machine := range map[string]elf.Machine{"arm64": elf.EM_AARCH64, "amd64": elf.EM_X86_64} {
		out := filepath.Join(t.TempDir(), goarch)
		if err := lambdatest.BuildLambda(t.Context(), goarch, "./internal/lambdatest/testdata/nothing", out); err != nil {
			t.Fatal(err)
		}
		file, err := elf.Open(out)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if file.Machine != machine {
			t.Errorf("got a binary for %v, want %v", file.Machine, machine)
		}
		if file.Section(".symtab") != nil {
			t.Errorf("%s: the binary is not stripped", goarch)
		}
	}
}

package repotest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// Bounds, so that each file and function can be read in one go.
const (
	maxFileLines     = 350
	maxFunctionLines = 55
	maxCommentWidth  = 100 // characters; a tab is one
	maxImportChain   = 4   // imports from a function's main to the last package
)

// Ensure that no file and no function grows too long.
func TestSizes(t *testing.T) {
	t.Parallel()
	for path, text := range files(t, "", ".go") {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		if lines := strings.Count(text, "\n"); lines > maxFileLines {
			t.Errorf("%s has %d lines, want at most %d", path, lines, maxFileLines)
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, text, 0)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if lines := set.Position(f.End()).Line - set.Position(f.Pos()).Line + 1; lines > maxFunctionLines {
				t.Errorf("%s: %s has %d lines, want at most %d", path, f.Name.Name, lines, maxFunctionLines)
			}
		}
	}
}

// Ensure that comments are wrapped, as far as they have a place to break.
func TestComments(t *testing.T) {
	t.Parallel()
	wide := map[string][]string{} // by directory
	for name, text := range files(t, "", ".go") {
		for n, line := range strings.Split(text, "\n") {
			comment, found := strings.CutPrefix(strings.TrimSpace(line), "// ")
			if found && utf8.RuneCountInString(line) > maxCommentWidth && strings.Contains(comment, " ") {
				wide[path.Dir(name)] = append(wide[path.Dir(name)], fmt.Sprintf("%s:%d", path.Base(name), n+1))
			}
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(wide)) {
		t.Errorf("%s: %d comment lines are wider than %d characters: %s", dir, len(wide[dir]), maxCommentWidth, strings.Join(wide[dir], ", "))
	}
}

// Ensure that a function's main is few imports away from every package that it links. The chain
// ends at internal/didit, which could be published alone.
func TestImportChain(t *testing.T) {
	t.Parallel()
	imports := map[string][]string{}
	for _, p := range list(t) {
		imports[p.ImportPath] = p.Imports
	}
	var longest func(path string) []string
	longest = func(path string) []string {
		var chain []string
		for _, next := range imports[path] {
			if strings.HasPrefix(next, module) && path != module+"internal/didit" {
				if c := longest(next); len(c) > len(chain) {
					chain = c
				}
			}
		}
		return append([]string{strings.TrimPrefix(path, module)}, chain...)
	}
	for path := range imports {
		if strings.HasPrefix(path, module+"functions/") && !strings.Contains(path, "/testdata/") {
			if chain := longest(path); len(chain)-1 > maxImportChain {
				t.Errorf("%d imports, want at most %d: %s", len(chain)-1, maxImportChain, strings.Join(chain, " > "))
			}
		}
	}
}

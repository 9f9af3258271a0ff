package repotest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const root = "../../"

// reference is the README that holds the public contract.
const reference = "functions/README.md"

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(root + path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// files returns the contents of the files with the suffix in a directory and below, by path. It
// leaves out what git ignores.
func files(t *testing.T, dir, suffix string) map[string]string {
	t.Helper()
	texts := map[string]string{}
	err := filepath.WalkDir(root+dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(filepath.ToSlash(path), root)
		if d.IsDir() && slices.Contains([]string{".git", ".aws-sam", ".venv", ".cache", "bin"}, name) {
			return fs.SkipDir
		}
		if !d.IsDir() && strings.HasSuffix(name, suffix) {
			texts[name] = read(t, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(texts) == 0 {
		t.Fatalf("no files %s*%s", dir, suffix)
	}
	return texts
}

// all returns the first group of every match, sorted and without duplicates.
func all(expression, text string) []string {
	var found []string
	for _, match := range regexp.MustCompile(expression).FindAllStringSubmatch(text, -1) {
		found = append(found, match[1])
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// constants returns the values of the string constants of a file.
func constants(t *testing.T, path string, take func(name string) bool) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), root+path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		for i, name := range spec.Names {
			if i < len(spec.Values) && take(name.Name) {
				if literal, ok := spec.Values[i].(*ast.BasicLit); ok && literal.Kind == token.STRING {
					value, _ := strconv.Unquote(literal.Value)
					values = append(values, value)
				}
			}
		}
		return true
	})
	slices.Sort(values)
	return values
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if len(want) == 0 || !slices.Equal(got, want) {
		t.Errorf("%s:\ngot  %q\nwant %q", what, got, want)
	}
}

// section returns what stands between two texts, up to the end if the second is missing.
func section(t *testing.T, text, from, to string) string {
	t.Helper()
	_, after, ok := strings.Cut(text, from)
	if !ok {
		t.Fatalf("there is no %q", from)
	}
	before, _, _ := strings.Cut(after, to)
	return before
}

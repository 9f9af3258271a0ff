package repotest

import (
	"fmt"
	"go/scanner"
	"go/token"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// avoid are words that documents, comments and messages do without, each with what to write
// instead.
var avoid = []struct{ word, better string }{
	{"nobody", "name the role: no caller, no operator"},
	{"whoever", "name the role: the caller, the operator, Didit"},
	{"somebody", "name the role: another user, another caller"},
	{"mend(s|ed|ing)?", "fix"},
	{"refuses to know", "does not depend on"},
	{"in trouble", "fails"},
	{"a text", "a string"},
	{"(is|are) told", "gets, is called with, receives"},
	{"who asks", "the caller"},
	{"all the same", "anyway, or leave it out"},
}

// Ensure that the worst of the words does not come back.
func TestVoice(t *testing.T) {
	t.Parallel()
	words := make([]string, len(avoid))
	for i, a := range avoid {
		words[i] = a.word
	}
	offence := regexp.MustCompile(`(?i)\b(` + strings.Join(words, "|") + `)\b`)
	found := map[string][]string{} // by directory
	for name, text := range documents(t) {
		for n, line := range strings.Split(text, "\n") {
			for _, word := range offence.FindAllString(line, -1) {
				found[path.Dir(name)] = append(found[path.Dir(name)], fmt.Sprintf("%s:%d %q", path.Base(name), n+1, strings.ToLower(word)))
			}
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(found)) {
		t.Errorf("%s: %d words to avoid: %s", dir, len(found[dir]), strings.Join(slices.Sorted(slices.Values(found[dir])), ", "))
	}
	if len(found) > 0 {
		for _, a := range avoid {
			t.Logf("%s: %s", a.word, a.better)
		}
	}
}

// documents returns what people read, by path: documents, pages and configuration whole, of Go
// files the comments and strings, each in its line.
func documents(t *testing.T) map[string]string {
	t.Helper()
	read := map[string]string{}
	for name, text := range files(t, "", "") {
		switch {
		case strings.HasPrefix(name, "internal/repotest/voice_test.go"), strings.Contains(name, "/testdata/"):
		case strings.HasSuffix(name, ".go"):
			read[name] = proseOf(name, text)
		case slices.Contains([]string{".md", ".yaml", ".yml", ".toml", ".html", ".svg", ".json", ".py"}, path.Ext(name)),
			name == "Makefile", strings.HasPrefix(name, ".ci/"):
			read[name] = text
		}
	}
	return read
}

func proseOf(name, text string) string {
	set := token.NewFileSet()
	file := set.AddFile(name, -1, len(text))
	var s scanner.Scanner
	s.Init(file, []byte(text), nil, scanner.ScanComments)
	lines := make([]string, strings.Count(text, "\n")+1)
	for {
		position, kind, literal := s.Scan()
		switch kind {
		case token.EOF:
			return strings.Join(lines, "\n")
		case token.COMMENT, token.STRING:
			for i, line := range strings.Split(literal, "\n") {
				lines[file.Line(position)-1+i] += " " + line
			}
		}
	}
}

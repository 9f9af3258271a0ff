package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const samconfigName = "samconfig.toml"

// samconfig is the text of samconfig.toml. It reads of TOML what the SAM CLI's settings need:
// tables, and keys with strings, booleans, and arrays of strings. It changes nothing but the values
// that it is asked to change, so comments and order stay.
type samconfig struct {
	path     string
	original string
	text     string
	values   []setting
}

// setting is one key of one table.
type setting struct {
	table, key string
	strings    []span // the value's strings; of another value one, its text
	array      bool
	end        int // offset after the value
}

// span is a string's text and its place, quotes included.
type span struct {
	text       string
	start, end int
}

func readSamconfig(dir string) (*samconfig, error) {
	path := filepath.Join(dir, samconfigName)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, blind(fmt.Errorf("%s cannot be read (%v); run this in the root of the repository", samconfigName, errors.Unwrap(err)))
	}
	s := &samconfig{path: path, original: string(text), text: string(text)}
	return s, s.parse()
}

var (
	tableLine = regexp.MustCompile(`^[ \t]*\[([A-Za-z0-9_.\-]+)\][ \t]*(#.*)?$`)
	keyLine   = regexp.MustCompile(`^[ \t]*([A-Za-z0-9_\-]+)[ \t]*=[ \t]*`)
)

func (s *samconfig) parse() error {
	s.values = nil
	table := ""
	for at := 0; at < len(s.text); {
		line, _, _ := strings.Cut(s.text[at:], "\n")
		next := at + len(line) + 1
		switch trimmed := strings.TrimSpace(line); {
		case trimmed == "", strings.HasPrefix(trimmed, "#"):
		case tableLine.MatchString(strings.TrimSuffix(line, "\r")):
			table = tableLine.FindStringSubmatch(strings.TrimSuffix(line, "\r"))[1]
		default:
			key := keyLine.FindStringSubmatch(line)
			if key == nil {
				return s.fault(at, "is no table and no key")
			}
			v := setting{table: table, key: key[1]}
			if err := s.parseValue(&v, at+len(key[0])); err != nil {
				return err
			}
			s.values = append(s.values, v)
			rest, _, _ := strings.Cut(s.text[v.end:], "\n")
			if rest = strings.TrimSpace(rest); rest != "" && rest[0] != '#' {
				return s.fault(v.end, "has more than one value")
			}
			next = v.end + strings.IndexByte(s.text[v.end:]+"\n", '\n') + 1
		}
		at = next
	}
	return nil
}

func (s *samconfig) fault(at int, what string) error {
	line := 1 + strings.Count(s.text[:min(at, len(s.text))], "\n")
	return blind(fmt.Errorf("%s: line %d %s", samconfigName, line, what))
}

// parseValue reads a value that begins at an offset.
func (s *samconfig) parseValue(v *setting, at int) error {
	rest := s.text[at:]
	switch {
	case strings.HasPrefix(rest, `"""`), strings.HasPrefix(rest, "'''"):
		return s.fault(at, "has a string of several lines; write it on one")
	case strings.HasPrefix(rest, `"`), strings.HasPrefix(rest, "'"):
		text, err := s.parseString(at)
		v.strings, v.end = []span{text}, text.end
		return err
	case strings.HasPrefix(rest, "["):
		v.array = true
		return s.parseArray(v, at+1)
	}
	plain := regexp.MustCompile(`^[A-Za-z0-9_.+\-:]+`).FindString(rest)
	if plain == "" {
		return s.fault(at, "has a value that is no string, array of strings, number or boolean")
	}
	v.strings, v.end = []span{{plain, at, at + len(plain)}}, at+len(plain)
	return nil
}

func (s *samconfig) parseArray(v *setting, at int) error {
	for at < len(s.text) {
		switch c := s.text[at]; {
		case c == ']':
			v.end = at + 1
			return nil
		case c == '#':
			line, _, _ := strings.Cut(s.text[at:], "\n")
			at += len(line)
		case c == '"' || c == '\'':
			text, err := s.parseString(at)
			if err != nil {
				return err
			}
			v.strings = append(v.strings, text)
			at = text.end
		case strings.IndexByte(", \t\r\n", c) >= 0:
			at++
		default:
			return s.fault(at, "has an array of something else than strings")
		}
	}
	return s.fault(at, "ends inside an array")
}

var basicString = regexp.MustCompile(`^"(?:[^"\\\n]|\\.)*"`)

func (s *samconfig) parseString(at int) (span, error) {
	rest := s.text[at:]
	if rest[0] == '\'' {
		inner, _, ok := strings.Cut(rest[1:], "'")
		if !ok || strings.Contains(inner, "\n") {
			return span{}, s.fault(at, "has a string without an end")
		}
		return span{inner, at, at + len(inner) + 2}, nil
	}
	quoted := basicString.FindString(rest)
	if quoted == "" {
		return span{}, s.fault(at, "has a string without an end")
	}
	text, err := strconv.Unquote(quoted)
	if err != nil {
		return span{}, s.fault(at, "has a string with an escape that is not supported here")
	}
	return span{text, at, at + len(quoted)}, nil
}

// has reports whether an environment has settings for sam deploy.
func (s *samconfig) has(env string) bool {
	return slices.ContainsFunc(s.values, func(v setting) bool { return strings.HasPrefix(v.table, env+".deploy.") })
}

// environments are those that have settings for sam deploy.
func (s *samconfig) environments() []string {
	var names []string
	for _, v := range s.values {
		if name, ok := strings.CutSuffix(v.table, ".deploy.parameters"); ok && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// find returns a setting as the SAM CLI does: of the command, else of all commands.
func (s *samconfig) find(env, command, key string) *setting {
	for _, table := range []string{env + "." + command + ".parameters", env + ".global.parameters"} {
		for i, v := range s.values {
			if v.table == table && v.key == key {
				return &s.values[i]
			}
		}
	}
	return nil
}

// value returns a setting of sam deploy with one string; "" if there is none.
func (s *samconfig) value(env, key string) string {
	if v := s.find(env, "deploy", key); v != nil && len(v.strings) == 1 {
		return v.strings[0].text
	}
	return ""
}

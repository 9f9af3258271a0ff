package main

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
)

const overridesKey = "parameter_overrides"

// overridePattern matches one parameter in the SAM CLI's own syntax (samcli.cli.types,
// CfnParameterOverridesType).
var overridePattern = regexp.MustCompile(`(?:^|\s)([A-Za-z0-9]+)=("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|(?:\\.|[^\s"\\])+|$)`)

// overrides returns the parameters of an environment. An entry of the array without quotes is one
// value up to its end: the SAM CLI would cut it at a space.
func (s *samconfig) overrides(env string) (map[string]string, error) {
	values := map[string]string{}
	v := s.find(env, "deploy", overridesKey)
	if v == nil {
		return values, nil
	}
	for _, entry := range v.strings {
		if strings.Contains(entry.text, "ParameterKey=") || strings.HasPrefix(entry.text, "file://") {
			return nil, s.fault(entry.start, "has a parameter in a form that this tool does not read; write Name=Value")
		}
		if v.array {
			if name, value, ok := wholeOverride(entry.text); ok {
				values[name] = value
				continue
			}
		}
		found := overridePattern.FindAllStringSubmatch(entry.text, -1)
		if found == nil {
			return nil, s.fault(entry.start, "has no parameter of the form Name=Value")
		}
		for _, match := range found {
			values[match[1]] = unquote(match[2])
		}
	}
	return values, nil
}

var overrideName = regexp.MustCompile(`^\s*([A-Za-z0-9]+)=(.*)$`)

// wholeOverride splits an entry that holds one parameter; ok is false if it holds several.
func wholeOverride(entry string) (name, value string, ok bool) {
	match := overrideName.FindStringSubmatch(entry)
	if match == nil || len(overridePattern.FindAllString(entry, -1)) > 1 {
		return "", "", false
	}
	return match[1], unquote(strings.TrimSpace(match[2])), true
}

func unquote(value string) string {
	if n := len(value); n > 1 && value[0] == value[n-1] && (value[0] == '"' || value[0] == '\'') {
		value = value[1 : n-1]
	}
	return strings.NewReplacer(`\ `, " ", `\"`, `"`, `\'`, "'").Replace(value)
}

// setOverride changes one parameter of an environment, or adds it. Everything else keeps its place.
func (s *samconfig) setOverride(env, name, value string) error {
	v := s.find(env, "deploy", overridesKey)
	if v == nil {
		return s.addOverrides(env, name, value)
	}
	if !v.array {
		return s.convertOverrides(env, v, name, value)
	}
	for _, entry := range v.strings {
		if found, _, ok := wholeOverride(entry.text); ok && found == name {
			return s.splice(entry.start, entry.end, encodeOverride(name, value))
		}
	}
	closing := v.end - 1 // the bracket
	lineStart := strings.LastIndexByte(s.text[:closing], '\n') + 1
	added := encodeOverride(name, value)
	if strings.TrimSpace(s.text[lineStart:closing]) != "" { // all on one line
		if len(v.strings) > 0 {
			added = ", " + added
		}
		return s.splice(closing, closing, added)
	}
	if err := s.splice(lineStart, lineStart, "  "+added+",\n"); err != nil || len(v.strings) == 0 {
		return err
	}
	last := v.strings[len(v.strings)-1].end
	if !strings.HasPrefix(strings.TrimLeft(s.text[last:], " \t\n"), ",") {
		return s.splice(last, last, ",")
	}
	return nil
}

// addOverrides adds the key to an environment that has none.
func (s *samconfig) addOverrides(env, name, value string) error {
	line := overridesKey + " = [\n  " + encodeOverride(name, value) + ",\n]\n"
	end := -1
	for _, v := range s.values {
		if v.table == env+".deploy.parameters" {
			end = v.end
		}
	}
	if end < 0 {
		return s.splice(len(s.text), len(s.text), "\n["+env+".deploy.parameters]\n"+line)
	}
	next := len(s.text)
	if n := strings.IndexByte(s.text[end:], '\n'); n >= 0 {
		next = end + n + 1
	} else {
		line = "\n" + line
	}
	return s.splice(next, next, line)
}

// convertOverrides writes a string with all parameters, as sam deploy --guided does, as an array.
func (s *samconfig) convertOverrides(env string, v *setting, name, value string) error {
	list := "[\n"
	for _, match := range overridePattern.FindAllStringSubmatch(v.strings[0].text, -1) {
		list += "  " + encodeOverride(match[1], unquote(match[2])) + ",\n"
	}
	if err := s.splice(v.strings[0].start, v.strings[0].end, list+"]"); err != nil {
		return err
	}
	return s.setOverride(env, name, value)
}

// splice replaces a part of the text and reads it again.
func (s *samconfig) splice(start, end int, text string) error {
	s.text = s.text[:start] + text + s.text[end:]
	return s.parse()
}

// write replaces the file, if anything changed. It is complete at every moment.
func (s *samconfig) write() error {
	if s.text == s.original {
		return nil
	}
	next := s.path + ".new"
	err := os.WriteFile(next, []byte(s.text), 0o644)
	if err == nil {
		err = os.Rename(next, s.path)
	}
	if err != nil {
		return fmt.Errorf("%s cannot be written: %w", samconfigName, err)
	}
	return nil
}

// encodeOverride returns a parameter as a TOML string that the SAM CLI reads whole.
func encodeOverride(name, value string) string {
	if value != "" && !strings.ContainsAny(value, " \t'\"\\") {
		return strconv.Quote(name + "=" + value)
	}
	entry := name + `="` + value + `"`
	if strings.Contains(value, "'") {
		return strconv.Quote(entry)
	}
	return "'" + entry + "'"
}

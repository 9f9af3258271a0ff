package repotest

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// object is a mapping of the template. Scalars are strings as they are written, sequences are
// []any, and the short forms of intrinsic functions are in their long form: {"Ref": "Api"}.
type object = map[string]any

// template is template.yaml, parsed.
type template struct {
	root, parameters, rules, conditions, resources object
}

func parseTemplate(t *testing.T) *template {
	t.Helper()
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(read(t, "template.yaml")), &document); err != nil {
		t.Fatal(err)
	}
	root, ok := plain(t, document.Content[0]).(object)
	if !ok {
		t.Fatal("template.yaml is not a mapping")
	}
	part := func(name string) object {
		o, ok := root[name].(object)
		if !ok {
			t.Fatalf("template.yaml has no %s", name)
		}
		return o
	}
	return &template{root: root, parameters: part("Parameters"), rules: part("Rules"), conditions: part("Conditions"),
		resources: part("Resources")}
}

// plain converts a node. A key that stands twice in one mapping fails the test: parsers differ on
// which one counts.
func plain(t *testing.T, n *yaml.Node) any {
	t.Helper()
	value := untagged(t, n)
	name, short := strings.CutPrefix(n.Tag, "!")
	switch {
	case !short || strings.HasPrefix(name, "!") || name == "":
		return value
	case name == "Ref" || name == "Condition":
		return object{name: value}
	}
	return object{"Fn::" + name: value}
}

func untagged(t *testing.T, n *yaml.Node) any {
	t.Helper()
	switch n.Kind {
	case yaml.ScalarNode:
		return n.Value
	case yaml.SequenceNode:
		list := make([]any, 0, len(n.Content))
		for _, entry := range n.Content {
			list = append(list, plain(t, entry))
		}
		return list
	case yaml.MappingNode:
		o := object{}
		for i := 0; i < len(n.Content); i += 2 {
			key := n.Content[i].Value
			if _, twice := o[key]; twice {
				t.Errorf("template.yaml:%d: %s is a duplicate key", n.Content[i].Line, key)
			}
			o[key] = plain(t, n.Content[i+1])
		}
		return o
	}
	t.Fatalf("template.yaml:%d: neither a scalar nor a sequence nor a mapping", n.Line)
	return nil
}

// canonical is a value as JSON with sorted keys, for comparisons and messages.
func canonical(v any) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		panic(err)
	}
	return strings.TrimSpace(b.String())
}

// snippet parses YAML that a test wants to find.
func snippet(t *testing.T, text string) any {
	t.Helper()
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(text), &document); err != nil || len(document.Content) == 0 {
		t.Fatalf("%q: %v", text, err)
	}
	return plain(t, document.Content[0])
}

// at follows a path of keys separated by "|"; nil where it leads nowhere. A number is an index.
func at(v any, path string) any {
	for key := range strings.SplitSeq(path, "|") {
		switch node := v.(type) {
		case object:
			v = node[key]
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(node) {
				return nil
			}
			v = node[i]
		default:
			return nil
		}
	}
	return v
}

// ofKind returns the logical ids of all resources of a type, sorted.
func (tm *template) ofKind(kind string) []string {
	var ids []string
	for id, r := range tm.resources {
		if at(r, "Type") == kind {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// function returns the logical id and the properties of a function by the name of its directory.
func (tm *template) function(t *testing.T, directory string) (id string, properties object) {
	t.Helper()
	for _, id := range tm.ofKind("AWS::Serverless::Function") {
		if strings.EqualFold(id, directory+"Function") {
			return id, at(tm.resources, id+"|Properties").(object)
		}
	}
	t.Fatalf("template.yaml has no function for functions/%s", directory)
	return "", nil
}

// many returns a value that may be one or several as a list.
func many(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{v}
}

// strs returns the strings of a value that may be one or several.
func strs(v any) []string {
	var texts []string
	for _, entry := range many(v) {
		if text, ok := entry.(string); ok {
			texts = append(texts, text)
		}
	}
	return texts
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// template is template.yaml with the parameters of this test.
type template struct {
	// Source is the file as it stands; Transformed is what CloudFormation would deploy of it. The short forms of
	// functions (!Ref) are spelled out in both.
	Source, Transformed document
}

// document is what is read of a template.
type document struct {
	Resources map[string]resource
}

type resource struct {
	Type       string
	Properties json.RawMessage
}

// both prints the two documents. The transforms are those that make validate runs.
const both = `
import json, sys
sys.path.insert(0, ".ci")
from transform import transform, yaml_parse
text = open(sys.argv[1]).read()
parameters = dict(argument.split("=", 1) for argument in sys.argv[2:])
source = yaml_parse(text)
for name, value in parameters.items():
    source["Parameters"][name]["Default"] = value
json.dump({"Source": source, "Transformed": transform(text, parameters)}, sys.stdout)
`

// readTemplate reads template.yaml and writes the one that is run here: with the parameters, for the
// processor of this machine, and with the places of the services in the functions' variables, of which the SAM CLI
// passes on only those that the template declares.
func (s *system) readTemplate(ctx context.Context) error {
	args := []string{"-B", "-c", both, "template.yaml"}
	for name, value := range s.parameters() {
		args = append(args, name+"="+value)
	}
	text, err := runCommand(ctx, s.toolEnv(), nil, s.tool("python"), args...)
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(text), &s.template); err != nil {
		return fmt.Errorf("read the template: %w", err)
	}
	var whole struct{ Source map[string]any }
	if err := json.Unmarshal([]byte(text), &whole); err != nil {
		return err
	}
	if err := s.derive(whole.Source); err != nil {
		return err
	}
	derived, err := json.MarshalIndent(whole.Source, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.dir, "template.json"), derived, 0o644)
}

// derive changes the template's globals.
func (s *system) derive(source map[string]any) error {
	globals, ok := at(source, "Globals", "Function").(map[string]any)
	variables, declared := at(source, "Globals", "Function", "Environment", "Variables").(map[string]any)
	if !ok || !declared {
		return fmt.Errorf("template.yaml has no Globals.Function.Environment.Variables")
	}
	globals["Architectures"] = []string{architecture()}
	for _, service := range []string{"SECRETS_MANAGER", "DYNAMODB", "EVENTBRIDGE", "SFN"} {
		variables["AWS_ENDPOINT_URL_"+service] = s.insideURL("http", s.inside)
	}
	return nil
}

// at follows keys into nested objects; nil where one is missing.
func at(v any, keys ...string) any {
	for _, key := range keys {
		object, _ := v.(map[string]any)
		v = object[key]
	}
	return v
}

// architecture is Lambda's word for the processor of this machine.
func architecture() string {
	if runtime.GOARCH == "amd64" {
		return "x86_64"
	}
	return runtime.GOARCH
}

// only returns the one resource of the type in the transformed template.
func (t template) only(kind string) (logicalID string, properties json.RawMessage, err error) {
	found := t.all(kind)
	if len(found) != 1 {
		return "", nil, fmt.Errorf("the template has %d resources of type %s, want 1", len(found), kind)
	}
	for id, properties := range found {
		return id, properties, nil
	}
	return "", nil, nil
}

// all returns the resources of the type in the transformed template, by their logical ids.
func (t template) all(kind string) map[string]json.RawMessage {
	found := make(map[string]json.RawMessage)
	for id, r := range t.Transformed.Resources {
		if r.Type == kind {
			found[id] = r.Properties
		}
	}
	return found
}

// reference is a {"Ref": …}. As the SAM CLI does, this test takes the logical id of a resource for the
// name of what it stands for.
type reference struct{ Ref string }

// variables are the names of the variables that the template gives to functions.
func (t template) variables() map[string]bool {
	names := make(map[string]bool)
	for _, r := range t.Transformed.Resources {
		var function struct {
			Environment struct{ Variables map[string]any }
		}
		if strings.HasSuffix(r.Type, "::Function") && json.Unmarshal(r.Properties, &function) == nil {
			for name := range function.Environment.Variables {
				names[name] = true
			}
		}
	}
	return names
}

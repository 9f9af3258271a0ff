//go:build system

package systemtest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// template is template.yaml with the parameters of this test.
type template struct {
	// Source is the file as it stands; Transformed is what CloudFormation would deploy of it. The
	// short forms of functions (!Ref) are spelled out in both.
	Source, Transformed struct {
		Resources map[string]resource
	}
}

type resource struct {
	Type       string
	Properties json.RawMessage
}

// printTemplate prints the two documents. The transforms are those that make validate runs.
const printTemplate = `
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

// parameters are those of the stack.
func (s *system) parameters() map[string]string {
	didit := containerURL("https", s.diditListener)
	return map[string]string{
		"WorkflowIds": workflow, "AllowedCallbacks": "https://app.example.com/verified",
		"DiditAuthUrl": didit, "DiditApiUrl": didit,
		"CallerAuth": "jwt", "JwtIssuer": "https://issuer.example.com", "JwtAudience": "app",
		"DeployStateMachine": "yes", "DeployGetDecision": "yes", "DeployEraseUser": "yes",
	}
}

// readTemplate reads template.yaml and writes the template that SAM runs: with the parameters, for
// the processor of this machine, and with the services' URLs among the functions' variables,
// because the SAM CLI passes on only variables that the template declares.
func (s *system) readTemplate(t *testing.T) {
	args := []string{"-B", "-c", printTemplate, "template.yaml"}
	for name, value := range s.parameters() {
		args = append(args, name+"="+value)
	}
	text, err := runCommand(s.ctx, s.toolEnv(), tool("python"), args...)
	if err != nil {
		t.Fatal(err)
	}
	var whole struct{ Source map[string]any }
	for _, v := range []any{&s.template, &whole} {
		if err := json.Unmarshal([]byte(text), v); err != nil {
			t.Fatal("read the template:", err)
		}
	}
	globals, ok := at(whole.Source, "Globals", "Function").(map[string]any)
	variables, declared := at(whole.Source, "Globals", "Function", "Environment", "Variables").(map[string]any)
	if !ok || !declared {
		t.Fatal("template.yaml has no Globals.Function.Environment.Variables")
	}
	globals["Architectures"] = []string{architecture()}
	for _, service := range []string{"SECRETS_MANAGER", "DYNAMODB", "EVENTBRIDGE", "SFN"} {
		variables["AWS_ENDPOINT_URL_"+service] = containerURL("http", s.containerListener)
	}
	changed, err := json.MarshalIndent(whole.Source, "", "  ")
	if err == nil {
		err = os.WriteFile(filepath.Join(s.dir, "template.json"), changed, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// at follows keys into nested objects; nil where one is missing.
func at(v any, keys ...string) any {
	for _, key := range keys {
		object, _ := v.(map[string]any)
		v = object[key]
	}
	return v
}

// architecture is Lambda's name for the processor of this machine.
func architecture() string {
	if runtime.GOARCH == "amd64" {
		return "x86_64"
	}
	return runtime.GOARCH
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

// only returns the one resource of the type in the transformed template.
func (t template) only(kind string) (logicalID string, properties json.RawMessage, err error) {
	found := t.all(kind)
	if len(found) != 1 {
		return "", nil, fmt.Errorf("the template has %d resources of type %s, want 1", len(found), kind)
	}
	for logicalID, properties = range found {
		break
	}
	return logicalID, properties, nil
}

// reference is a {"Ref": …}. Like the SAM CLI, this test uses the logical id of a resource as the
// name of what it stands for.
type reference struct{ Ref string }

// rule is a rule of the template that matches events on its bus.
type rule struct {
	EventBusName reference
	EventPattern json.RawMessage
	Targets      []struct{ Arn reference }
}

// busRule returns the rule of the template that has a pattern; the other one is a schedule.
func (t template) busRule() (rule, error) {
	var found []rule
	for _, properties := range t.all("AWS::Events::Rule") {
		var r rule
		if err := json.Unmarshal(properties, &r); err != nil {
			return rule{}, err
		}
		if r.EventPattern != nil {
			found = append(found, r)
		}
	}
	if len(found) != 1 || len(found[0].Targets) != 1 {
		return rule{}, fmt.Errorf("the template has %d rules with a pattern, want 1 with 1 target", len(found))
	}
	return found[0], nil
}

// functionID returns the logical id of the function in functions/name.
func (t template) functionID(name string) (string, error) {
	for id := range t.all("AWS::Lambda::Function") {
		if strings.EqualFold(id, name+"Function") {
			return id, nil
		}
	}
	return "", fmt.Errorf("the template has no function %s", name)
}

// aliasARN returns the ARN of an alias of a function, by its logical id.
func (t template) aliasARN(id string) (string, error) {
	var alias struct {
		FunctionName reference
		Name         string
	}
	r := t.Transformed.Resources[id]
	if r.Type != "AWS::Lambda::Alias" {
		return "", fmt.Errorf("%q is no alias of the template", id)
	}
	if err := json.Unmarshal(r.Properties, &alias); err != nil {
		return "", err
	}
	return "arn:aws:lambda:" + region + ":" + account + ":function:" + alias.FunctionName.Ref + ":" + alias.Name, nil
}

// definitionFile is where template.yaml says that the definition of the state machine is.
func (t template) definitionFile() string {
	for _, r := range t.Source.Resources {
		var machine struct{ DefinitionUri string }
		if r.Type == "AWS::Serverless::StateMachine" && json.Unmarshal(r.Properties, &machine) == nil {
			return machine.DefinitionUri
		}
	}
	return ""
}

// variables are the names of the variables that the template gives to functions.
func (t template) variables() map[string]bool {
	names := make(map[string]bool)
	for _, properties := range t.all("AWS::Lambda::Function") {
		var function struct {
			Environment struct{ Variables map[string]any }
		}
		if json.Unmarshal(properties, &function) == nil {
			for name := range function.Environment.Variables {
				names[name] = true
			}
		}
	}
	return names
}

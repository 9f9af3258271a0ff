// Package repotest holds only tests: of what must be true of the whole repository.
package repotest

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "didit-sessions/"

// pkg is what `go list -json` says of a package.
type pkg struct {
	ImportPath string
	Imports    []string
	Deps       []string
	Standard   bool
}

func list(t *testing.T) []pkg {
	t.Helper()
	command := exec.Command("go", "list", "-json=ImportPath,Imports,Deps,Standard", "./...")
	command.Dir = "../.."
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []pkg
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// rule says what a package may import beside the standard library.
type rule struct {
	pkg     string   // without the module's path
	may     []string // packages of this module, or prefixes of others that end in /
	mustNot []string // packages of the standard library
	because string
}

var rules = []rule{
	{"internal/strictjson", []string{"github.com/go-json-experiment/json/jsontext"}, nil, "the reader could be the standard library's own"},
	{"internal/didit", []string{"internal/strictjson"}, []string{"log"}, "the client could be published alone, and leaves logging to its user"},
	{"internal/didit/didittest", nil, []string{"testing"}, "the simulator fakes the wire, not our client, and runs in programs too"},
	{"internal/verification", []string{"internal/didit"}, []string{"net/http"}, "the domain knows no transport"},
	{"internal/verification/verificationtest", []string{"internal/verification"}, nil, "the suites know the interfaces, not who implements them"},
	{"internal/strictjson", []string{"github.com/go-json-experiment/json/jsontext"}, nil, "the reader could be the standard library's own"},
	{"internal/api", []string{"internal/strictjson", "internal/verification", "internal/didit", "rsc.io/qr"}, nil, "the contract knows neither Lambda nor AWS nor the environment"},
	{"internal/api/apitest", []string{"github.com/getkin/kin-openapi/", "go.yaml.in/yaml/v3"}, nil, "it knows the contract as it is written, and none of the code"},
	{"internal/lambdahttp", []string{"github.com/aws/aws-lambda-go/"}, nil, "the adapter knows payloads, not the product"},
	{"internal/aws/fault", []string{"internal/verification", "github.com/aws/smithy-go"}, nil, "errors of AWS, whatever the service"},
	{"internal/aws/secret", []string{"internal/aws/fault", "internal/verification", "github.com/aws/aws-sdk-go-v2/aws", "github.com/aws/aws-sdk-go-v2/service/secretsmanager"}, nil, "one AWS service each"},
	{"internal/aws/table", []string{"internal/aws/fault", "internal/verification", "github.com/aws/aws-sdk-go-v2/aws", "github.com/aws/aws-sdk-go-v2/service/dynamodb", "github.com/aws/aws-sdk-go-v2/service/dynamodb/types", "github.com/aws/smithy-go"}, nil, "one AWS service each"},
	{"internal/aws/bus", []string{"internal/aws/fault", "internal/verification", "github.com/aws/aws-sdk-go-v2/aws", "github.com/aws/aws-sdk-go-v2/service/eventbridge", "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"}, nil, "one AWS service each"},
	{"internal/aws/tasks", []string{"internal/aws/fault", "internal/verification", "github.com/aws/aws-sdk-go-v2/aws", "github.com/aws/aws-sdk-go-v2/service/sfn", "github.com/aws/smithy-go"}, nil, "one AWS service each"},
	{"internal/memory", []string{"internal/verification"}, []string{"testing"}, "the twins in memory run in programs too"},
	{"internal/start", []string{"internal/api", "internal/config", "internal/didit", "internal/lambdahttp", "internal/verification", "internal/version", "github.com/aws/aws-lambda-go/", "github.com/aws/aws-sdk-go-v2/aws", "github.com/aws/aws-sdk-go-v2/aws/", "github.com/aws/aws-sdk-go-v2/config", "github.com/aws/smithy-go/logging", "github.com/aws/smithy-go/middleware"},
		nil, "how functions begin, not what they do: no AWS service is linked by all"},
	{"internal/version", nil, nil, "a constant"},
	{"internal/config", []string{"internal/verification"}, nil, "where things are, not what they do"},
	{"internal/stage", []string{"internal/aws/table", "internal/awsfake", "internal/awsfake/dynamodb", "internal/didit/didittest", "github.com/aws/aws-sdk-go-v2/"},
		[]string{"testing"}, "it runs what a function talks to, in programs too, and no function"},
	{"internal/stage/stagetest", []string{"internal/stage", "internal/api/apitest", "internal/awsfake", "internal/lambdatest", "internal/didit/didittest", "internal/verification"},
		nil, "it runs a function as it ships, and links none of its code"},
	{"internal/watch", nil, nil, "it holds only tests"},
	{"internal/awsfake", nil, []string{"testing"}, "the fakes know the wire of AWS, not our clients, and run in programs too"},
	{"internal/awsfake/dynamodb", []string{"internal/awsfake"}, []string{"testing"}, "the fakes know the wire of AWS, not our clients, and run in programs too"},
	{"internal/lambdatest", []string{"internal/awsfake"}, []string{"testing"}, "it runs real binaries, in programs too, and links none of their code"},
}

func TestImports(t *testing.T) {
	t.Parallel()
	packages := list(t)
	standard := func(path string) bool {
		return !strings.Contains(strings.Split(path, "/")[0], ".") && !strings.HasPrefix(path, module)
	}
	for _, r := range rules {
		i := slices.IndexFunc(packages, func(p pkg) bool { return p.ImportPath == module+r.pkg })
		if i < 0 {
			t.Errorf("there is a rule for %s, but no such package", r.pkg)
			continue
		}
		for _, path := range packages[i].Imports {
			own := strings.TrimPrefix(path, module)
			allowed := standard(path) && !slices.ContainsFunc(r.mustNot, func(not string) bool { return path == not }) ||
				slices.ContainsFunc(r.may, func(may string) bool {
					return own == may || strings.HasSuffix(may, "/") && strings.HasPrefix(own, may)
				})
			if !allowed {
				t.Errorf("%s imports %s: %s", r.pkg, path, r.because)
			}
		}
	}
	ruled := func(path string) bool {
		return slices.ContainsFunc(rules, func(r rule) bool { return path == module+r.pkg })
	}
	for _, p := range packages {
		own := strings.TrimPrefix(p.ImportPath, module)
		wires := strings.HasPrefix(own, "functions/") || strings.HasPrefix(own, "internal/cmd/")
		if !wires && !ruled(p.ImportPath) && own != "internal/repotest" && !strings.Contains(own, "testdata") {
			t.Errorf("%s has no import rule", own)
		}
	}
}

// Ensure that a function links only the AWS services that it calls, and nothing made for tests.
func TestFunctionDependencies(t *testing.T) {
	t.Parallel()
	services := map[string][]string{
		"createsession": {"secretsmanager", "dynamodb"},
		"getsession":    {"secretsmanager", "dynamodb", "eventbridge"},
		"webhook":       {"secretsmanager", "dynamodb", "eventbridge"},
		"trackstatus":   {"dynamodb", "sfn"},
		"awaitdecision": {"secretsmanager", "dynamodb", "eventbridge", "sfn"},
		"reconcile":     {"secretsmanager", "dynamodb", "eventbridge", "sfn"},
		"getdecision":   {"secretsmanager"},
		"eraseuser":     {"secretsmanager", "dynamodb", "eventbridge", "sfn"},
	}
	// What the SDK's configuration brings along to find credentials.
	always := []string{"sso", "ssooidc", "sts", "signin", "internal"}
	for _, p := range list(t) {
		name, ok := strings.CutPrefix(p.ImportPath, module+"functions/")
		if !ok || strings.Contains(name, "/testdata/") {
			continue
		}
		if services[name] == nil {
			t.Errorf("functions/%s: which AWS services it may link is not said here", name)
		}
		for _, dependency := range p.Deps {
			if service, ok := strings.CutPrefix(dependency, "github.com/aws/aws-sdk-go-v2/service/"); ok {
				service, _, _ = strings.Cut(service, "/")
				if !slices.Contains(services[name], service) && !slices.Contains(always, service) {
					t.Errorf("functions/%s links the AWS service %s, which it does not call", name, service)
				}
			}
			for _, tool := range []string{"golang.org/x/term", "github.com/rogpeppe/go-internal/", module + "internal/cmd/"} {
				if strings.HasPrefix(dependency, tool) {
					t.Errorf("functions/%s links %s, which is for the operator's tool", name, dependency)
				}
			}
			for _, test := range []string{"testing", module + "internal/api/apitest", module + "internal/lambdatest", module + "internal/memory", module + "internal/awsfake", module + "internal/stage", module + "internal/didit/didittest"} {
				if dependency == test {
					t.Errorf("functions/%s links %s", name, dependency)
				}
			}
		}
	}
}

// Ensure that one file of the domain knows Didit's client.
func TestOneMappingFile(t *testing.T) {
	t.Parallel()
	for path, text := range files(t, "internal/verification", ".go") {
		if strings.Contains(text, `"didit-sessions/internal/didit"`) && !strings.HasSuffix(path, "/didit.go") && !strings.HasSuffix(path, "_test.go") {
			t.Errorf("%s imports internal/didit: only didit.go maps to it", path)
		}
	}
}

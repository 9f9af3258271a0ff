package main

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// configOf returns the text as samconfig.toml.
func configOf(t *testing.T, text string) *samconfig {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, samconfigName), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := readSamconfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Ensure that a change touches nothing else: comments, order and other environments stay.
func TestSamconfig_setOverride(t *testing.T) {
	t.Parallel()
	const table = "[dev.deploy.parameters]\n"
	for name, test := range map[string]struct{ before, value, want string }{
		"replaced": {
			table + "parameter_overrides = [ # all\n  \"A=1\", # one\n  # two\n  'B=\"x y\"',\n]\n# end\n", "n m",
			table + "parameter_overrides = [ # all\n  \"A=1\", # one\n  # two\n  'B=\"n m\"',\n]\n# end\n",
		},
		"added": {
			table + "parameter_overrides = [\n  \"A=1\", # one, and more\n]\n", "2",
			table + "parameter_overrides = [\n  \"A=1\", # one, and more\n  \"B=2\",\n]\n",
		},
		"added without a comma": {
			table + "parameter_overrides = [\n  \"A=1\" # one\n]\n", "2",
			table + "parameter_overrides = [\n  \"A=1\", # one\n  \"B=2\",\n]\n",
		},
		"one line": {
			table + "parameter_overrides = [\"A=1\"]\nregion = \"eu-west-1\"", "it's",
			table + "parameter_overrides = [\"A=1\", \"B=\\\"it's\\\"\"]\nregion = \"eu-west-1\"",
		},
		"empty array": {table + "parameter_overrides = []", "", table + "parameter_overrides = ['B=\"\"']"},
		"a string, as sam deploy --guided writes": {
			table + "parameter_overrides = \"A=\\\"1 2\\\" B=\\\"3\\\"\"\nresolve_s3 = true\n", "4",
			table + "parameter_overrides = [\n  'A=\"1 2\"',\n  \"B=4\",\n]\nresolve_s3 = true\n",
		},
		"no key": {
			"[dev.deploy.parameters]\nresolve_s3 = true # bucket\n\n[prod.deploy.parameters]\n", "2",
			"[dev.deploy.parameters]\nresolve_s3 = true # bucket\nparameter_overrides = [\n  \"B=2\",\n]\n\n[prod.deploy.parameters]\n",
		},
		"no table": {"[dev.global.parameters]\n", "2", "[dev.global.parameters]\n\n[dev.deploy.parameters]\nparameter_overrides = [\n  \"B=2\",\n]\n"},
	} {
		s := configOf(t, test.before)
		if err := s.setOverride("dev", "B", test.value); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if s.text != test.want {
			t.Errorf("%s:\ngot  %q\nwant %q", name, s.text, test.want)
		}
		if values, err := s.overrides("dev"); err != nil || values["B"] != test.value {
			t.Errorf("%s: reading it again: got %q, %v, want %q", name, values["B"], err, test.value)
		}
		if err := s.write(); err != nil {
			t.Error(err)
		}
		if got, _ := os.ReadFile(s.path); string(got) != test.want {
			t.Errorf("%s: the file has %q", name, got)
		}
	}
}

func TestSamconfig_errors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"[a.b]\nnonsense\n":          "line 2 is no table and no key",
		"[a.b]\nx = \"\"\"\na\"\"\"": "line 2 has a string of several lines",
		"x = 'a\n'":                  "line 1 has a string without an end",
		"x = [1]":                    "line 1 has an array of something else than strings",
		"x = [\n'a'":                 "line 2 ends inside an array",
		"x = \"a\" \"b\"":            "line 1 has more than one value",
		"x = {}":                     "line 1 has a value that is no string",
		"x = \"\\e\"":                "line 1 has a string with an escape that is not supported here",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, samconfigName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readSamconfig(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
	for _, entry := range []string{"ParameterKey=A,ParameterValue=b", "file://x.yaml", "nothing"} {
		s := configOf(t, "[dev.deploy.parameters]\nparameter_overrides = ['"+entry+"']")
		if _, err := s.overrides("dev"); err == nil {
			t.Errorf("%s: got no error", entry)
		}
	}
}

// Ensure that what the tool writes and passes is what the SAM CLI reads, by the SAM CLI itself.
func TestOverrides_asSAMReads(t *testing.T) {
	t.Parallel()
	python := filepath.Join("..", "..", "..", ".venv", "bin", "python")
	if _, err := os.Stat(python); err != nil {
		t.Skip("the SAM CLI is not installed in .venv")
	}
	values := map[string]string{"A": "plain", "B": "a, b ,c", "C": "", "D": "it's", "E": "https://a.example.com/x?y=z W=1", "F": "*", "G": "'q'"}
	s := configOf(t, "[dev.deploy.parameters]\nresolve_s3 = true\n")
	parameters := map[string]templateParameter{}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if err := s.setOverride("dev", name, values[name]); err != nil {
			t.Fatal(err)
		}
		parameters[name] = templateParameter{}
	}
	arguments, err := (&template{Parameters: parameters}).overrides(values)
	if err != nil {
		t.Fatal(err)
	}
	const program = `
import json, sys, tomlkit
from samcli.cli.types import CfnParameterOverridesType
read = CfnParameterOverridesType()
file = tomlkit.parse(open(sys.argv[1]).read())["dev"]["deploy"]["parameters"]["parameter_overrides"]
print(json.dumps([read.convert([str(e) for e in file], None, None), read.convert(tuple(sys.argv[2:]), None, None)]))
`
	if err := s.write(); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(python, append([]string{"-c", program, s.path}, arguments...)...)
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got []map[string]string
	if err := json.Unmarshal(out, &got); err != nil || len(got) != 2 {
		t.Fatalf("got %s, %v", out, err)
	}
	for i, from := range []string{"samconfig.toml", "the arguments"} {
		if !maps.Equal(got[i], values) {
			t.Errorf("from %s: got %q, want %q", from, got[i], values)
		}
	}
}

// Ensure that the tool refuses what the template does, and what a function would fail on.
func TestTemplate_check(t *testing.T) {
	t.Parallel()
	template, err := readTemplate("../../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, value string
		well        bool
	}{
		{"WorkflowIds", "*", true}, {"WorkflowIds", "EDIT-ME", false}, {"CallerAuth", "iam", true}, {"CallerAuth", "IAM", false},
		{"ThrottleRate", "4", true}, {"ThrottleRate", "0", false}, {"ThrottleRate", "x", false}, {"ThrottleRate", "101", false},
		{"AllowedCallbacks", "https://app.example.com/a, myapp://", true}, {"AllowedCallbacks", "javascript:", false},
		{"ExtraFields", "a,b", true}, {"ExtraFields", "callback", false}, {"JwtAudience", `a\b`, false}, {"JwtAudience", `a"b`, false},
		{"None", "", false}, {"UserFields", "", true},
		{"AllowedCallbacks", "MyApp://", false}, {"AllowedCallbacks", "myapp:", false}, {"AllowedCallbacks", "myapp:/done", false},
		{"AllowedCallbacks", "HTTPS://app.example.com", false}, {"AllowedCallbacks", "https://app.example.com/a%20b", false},
		{"AllowedCallbacks", "https://[::1]/x", false}, {"AllowedCallbacks", "javascript://x", false}, {"AllowedCallbacks", "", true},
		{"ExtraFields", "Newest", false}, {"ExtraFields", "new-field", false}, {"ExtraFields", "newest,", false}, {"ExtraFields", "newest, callback", false},
		{"ThrottleBurst", "20", true}, {"ThrottleBurst", "1.5", false}, {"ThrottleBurst", "201", false}, {"ThrottleRate", "1.5", true},
		{"AllowedOrigins", "https://app.example.com:8443,http://[::1]:5173", true}, {"AllowedOrigins", "https://app.example.com,https://b.example.com:443", false},
		{"ExistingSecretArn", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:*-AbCdEf", false},
	} {
		if err := template.check(test.name, test.value); (err == nil) != test.well {
			t.Errorf("%s=%s: got %v, want it accepted: %t", test.name, test.value, err, test.well)
		}
	}
	for name, p := range template.Parameters {
		if _, _, err := compile(p.AllowedPattern); err != nil {
			t.Errorf("%s: its pattern is not checked: %v", name, err)
		}
	}
	if _, err := template.overrides(map[string]string{}); err == nil || !strings.Contains(err.Error(), "WorkflowIds has no value") {
		t.Errorf("without WorkflowIds: got %v", err)
	}
}

// Ensure that an account which doctor calls large enough can reserve the smallest choice.
func TestMinConcurrency(t *testing.T) {
	t.Parallel()
	template, err := readTemplate("../../..")
	if err != nil {
		t.Fatal(err)
	}
	smallest, err := strconv.Atoi(template.Parameters["ReservedConcurrency"].AllowedValues[1])
	if want := smallest*template.reserved + keptUnreserved; err != nil || smallest == 0 || minConcurrency != want {
		t.Errorf("got %d (%v), want %d", minConcurrency, err, want)
	}
}

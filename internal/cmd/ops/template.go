package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"didit-sessions/internal/config"
)

// template is what the tool reads of template.yaml.
type template struct {
	Parameters map[string]templateParameter
	// reserved is how many functions take ReservedConcurrency.
	reserved int
}

type templateParameter struct {
	Default               *string
	AllowedPattern        string
	AllowedValues         []string
	MinValue, MaxValue    string
	ConstraintDescription string
}

func readTemplate(dir string) (*template, error) {
	text, err := os.ReadFile(filepath.Join(dir, "template.yaml"))
	if err != nil {
		return nil, blind(fmt.Errorf("template.yaml cannot be read (%v); run this in the root of the repository", errors.Unwrap(err)))
	}
	var document struct {
		Parameters yaml.Node `yaml:"Parameters"`
	}
	t := new(template)
	if err = yaml.Unmarshal(text, &document); err == nil {
		err = document.Parameters.Decode(&t.Parameters)
	}
	if err != nil {
		return nil, blind(fmt.Errorf("template.yaml cannot be read: %s", firstLine(err.Error())))
	}
	t.reserved = strings.Count(string(text), "ReservedConcurrentExecutions:")
	return t, nil
}

// UnmarshalYAML reads a parameter, whose numbers and words count as text.
func (p *templateParameter) UnmarshalYAML(node *yaml.Node) error {
	for i := 0; i+1 < len(node.Content); i += 2 {
		value := node.Content[i+1]
		switch node.Content[i].Value {
		case "Default":
			p.Default = &value.Value
		case "AllowedPattern":
			p.AllowedPattern = value.Value
		case "MinValue":
			p.MinValue = value.Value
		case "MaxValue":
			p.MaxValue = value.Value
		case "ConstraintDescription":
			p.ConstraintDescription = value.Value
		case "AllowedValues":
			for _, v := range value.Content {
				p.AllowedValues = append(p.AllowedValues, v.Value)
			}
		}
	}
	return nil
}

// check returns one sentence about a value that CloudFormation, or a function at its start, would
// refuse.
func (t *template) check(name, value string) error {
	p, ok := t.Parameters[name]
	if !ok {
		return fmt.Errorf("%s is no parameter of template.yaml", name)
	}
	wrong := func() error {
		if p.ConstraintDescription != "" {
			return fmt.Errorf("%s %s", name, p.ConstraintDescription)
		}
		return fmt.Errorf("%s must be one of: %s", name, strings.Join(p.AllowedValues, ", "))
	}
	switch {
	case strings.ContainsAny(value, "\\\"\n"):
		return fmt.Errorf("%s must not contain a quote, a backslash or a line break", name)
	case len(p.AllowedValues) > 0 && !slices.Contains(p.AllowedValues, value):
		return wrong()
	case p.MinValue != "" && !between(value, p.MinValue, p.MaxValue):
		return wrong()
	}
	// A pattern that Go cannot read is left to CloudFormation; template.yaml itself has none.
	if no, yes, err := compile(p.AllowedPattern); err == nil && (no != nil && no.MatchString(value) || !yes.MatchString(value)) {
		return wrong()
	}
	return checkAsFunction(name, value)
}

// compile reads a pattern of CloudFormation, which is Java's. One form that Go does not have is
// taken apart: of ^(?!no)yes$ a value must match yes, and must not begin with what no matches.
func compile(pattern string) (no, yes *regexp.Regexp, err error) {
	if rest, excludes := strings.CutPrefix(pattern, "^(?!"); excludes {
		end := closing(rest)
		if no, err = regexp.Compile("^(?:" + rest[:end] + ")"); err != nil {
			return nil, nil, err
		}
		pattern = "^" + rest[end+1:]
	}
	yes, err = regexp.Compile(pattern)
	return no, yes, err
}

// closing returns the index of the parenthesis that closes a group which was opened before the
// text.
func closing(text string) int {
	depth, class := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\':
			i++
		case class:
			class = c != ']'
		case c == '[':
			class = true
		case c == '(':
			depth++
		case c == ')' && depth == 0:
			return i
		case c == ')':
			depth--
		}
	}
	return len(text) - 1
}

func between(value, low, high string) bool {
	n, err := strconv.ParseFloat(value, 64)
	least, _ := strconv.ParseFloat(low, 64)
	most, errMost := strconv.ParseFloat(high, 64)
	return err == nil && n >= least && (errMost != nil || n <= most)
}

// checkDomain returns what the template's rule DomainNeedsCertificate says about the values.
func checkDomain(values map[string]string) error {
	switch domain, certificate := values["DomainName"] != "", values["CertificateArn"] != ""; {
	case domain && !certificate:
		return errors.New("DomainName needs CertificateArn, its certificate in the stack's region")
	case certificate && !domain:
		return errors.New("CertificateArn needs DomainName, the domain that the certificate is for")
	}
	return nil
}

// checkAsFunction returns what the functions' own configuration says about the value.
func checkAsFunction(name, value string) error {
	variable := variableOf(name)
	getenv := func(asked string) string {
		if asked == variable {
			return value
		}
		return ""
	}
	_, create := config.LoadCreateSession(getenv)
	_, get := config.LoadGetSession(getenv)
	_, hook := config.LoadWebhook(getenv)
	for _, joined := range []error{create, get, hook} {
		list, ok := joined.(interface{ Unwrap() []error })
		if !ok {
			continue
		}
		for _, err := range list.Unwrap() {
			if rest, found := strings.CutPrefix(err.Error(), variable); found && !strings.HasPrefix(rest, "_") {
				return errors.New(name + rest)
			}
		}
	}
	return nil
}

var wordStart = regexp.MustCompile(`([a-z])([A-Z])`)

// variableOf returns the variable of the functions that a parameter sets: WORKFLOW_IDS for
// WorkflowIds.
func variableOf(parameter string) string {
	return strings.ToUpper(wordStart.ReplaceAllString(parameter, "${1}_${2}"))
}

// overrides returns the arguments that pass every parameter: the values, and for the others the
// template's default. The SAM CLI otherwise keeps the deployed value of what is left out.
func (t *template) overrides(values map[string]string) ([]string, error) {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(t.Parameters)) {
		value, ok := values[name]
		if p := t.Parameters[name]; !ok && p.Default != nil {
			value, ok = *p.Default, true
		}
		if !ok {
			return nil, fmt.Errorf("the parameter %s has no value; set it in samconfig.toml", name)
		}
		list = append(list, fmt.Sprintf(`%s="%s"`, name, value))
	}
	return list, nil
}

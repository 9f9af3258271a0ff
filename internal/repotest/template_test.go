package repotest

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"didit-sessions/internal/aws/table"
	"didit-sessions/internal/version"
)

// functions are the directories of the functions.
func functions(t *testing.T) []string {
	t.Helper()
	mains, err := filepath.Glob(root + "functions/*/main.go")
	if err != nil || len(mains) == 0 {
		t.Fatal("no functions", err)
	}
	for i, path := range mains {
		mains[i] = filepath.Base(filepath.Dir(path))
	}
	return mains
}

// resource is the text of a function's resource in the template.
func resource(t *testing.T, function string) string {
	t.Helper()
	for _, text := range regexp.MustCompile(`(?m)^  \w+:$`).Split(section(t, read(t, "template.yaml"), "\nResources:\n", "\nOutputs:"), -1) {
		if strings.Contains(text, "Role: !GetAtt ") && strings.EqualFold(all(`Role: !GetAtt (\w+)Role\.Arn`, text)[0], function) && strings.Contains(text, "AWS::Serverless::Function") {
			return text
		}
	}
	t.Fatalf("template.yaml has no function for functions/%s", function)
	return ""
}

// Ensure that each function is published under an alias whose version follows the parameters, and
// that workflows and other stacks call the alias.
func TestAliases(t *testing.T) {
	t.Parallel()
	template := read(t, "template.yaml")
	if !strings.Contains(template, "Transform:\n  - AWS::LanguageExtensions\n  - AWS::Serverless-2016-10-31\n") {
		t.Error("without the language extensions an alias keeps the old configuration")
	}
	for _, name := range functions(t) {
		text := resource(t, name)
		if !strings.Contains(text, "AutoPublishAlias: live\n") || !strings.Contains(text, "AutoPublishAliasAllProperties: true\n") {
			t.Errorf("%s has no alias, or one that keeps the old configuration", name)
		}
	}
	// An execution that waits for days, or another team's workflow, must not be bound to what was
	// deployed when it began.
	for _, place := range []string{section(t, template, "DefinitionSubstitutions:\n", "      Role:"), section(t, template, "- Sid: CreateAndAwait\n", "\nOutputs:"),
		section(t, template, "\n  AwaitDecisionFunctionArn:\n", "\n  GetDecision")} {
		if arns := all(`(\w+Function(?:\.\w+)?)$`, place); strings.Contains(place, "Function.Arn") || !strings.Contains(place, "Function.Alias") {
			t.Errorf("%q names a function without its alias: %q", place, arns)
		}
	}
}

// Ensure that the template's table and its indexes are those that the code uses.
func TestTable(t *testing.T) {
	t.Parallel()
	declared := section(t, read(t, "template.yaml"), "\n  SessionsTable:\n", "\n  EventBus:")
	for _, want := range []string{
		"AttributeName: " + table.PartitionKey + ", KeyType: HASH", "AttributeName: " + table.SortKey + ", KeyType: RANGE",
		"IndexName: " + table.OwnerIndex + "\n", "IndexName: " + table.DueIndex + "\n",
		"AttributeName: " + table.OwnerPartitionKey + ", KeyType: HASH", "AttributeName: " + table.OwnerSortKey + ", KeyType: RANGE",
		"AttributeName: " + table.DuePartitionKey + ", KeyType: HASH", "AttributeName: " + table.DueSortKey + ", KeyType: RANGE",
		"TimeToLiveSpecification: {AttributeName: " + table.ExpiryAttribute + ", Enabled: true}",
		"NonKeyAttributes: [" + strings.Join(table.Schema("").GlobalSecondaryIndexes[0].Projection.NonKeyAttributes, ", ") + "]}",
		"BillingMode: PAY_PER_REQUEST", "PointInTimeRecoveryEnabled: true",
	} {
		if !strings.Contains(declared, want) {
			t.Errorf("the table of template.yaml does not have %q", want)
		}
	}
}

// Ensure that each function is in the template and is built by the Makefile.
func TestBuilds(t *testing.T) {
	t.Parallel()
	makefile := read(t, "Makefile")
	var built []string
	for _, name := range functions(t) {
		built = append(built, all(`(?m)^build-(\w+):\n.*\./functions/`+name+`\n`, makefile)...)
	}
	slices.Sort(built)
	same(t, "functions that the Makefile builds", built, all(`(?m)^  (\w+):\n    Type: AWS::Serverless::Function\n(?:    Condition: \w+\n)?    Metadata:\n      BuildMethod: makefile`, read(t, "template.yaml")))
	if len(built) != len(functions(t)) {
		t.Errorf("%d functions, %d of them are built", len(functions(t)), len(built))
	}
}

// Ensure that the reference has the template's routes.
func TestRoutes(t *testing.T) {
	t.Parallel()
	var routes []string
	for _, match := range regexp.MustCompile(`Method: (\w+)\n +Path: (\S+)`).FindAllStringSubmatch(read(t, "template.yaml"), -1) {
		routes = append(routes, match[1]+" "+match[2])
	}
	slices.Sort(routes)
	same(t, "routes of "+reference, all("(?m)^### `([A-Z]+ /\\S+)`", read(t, reference)), routes)
}

// Ensure that the READMEs name only outputs of the template.
func TestOperation(t *testing.T) {
	t.Parallel()
	template := read(t, "template.yaml")
	outputs := all(`(?m)^  (\w+):$`, section(t, template, "\nOutputs:\n", "\x00"))
	for path, text := range files(t, "", "README.md") {
		names := slices.Concat(all("outputs?(?:\\s+of\\s+the\\s+stack)?\\s+`(\\w+)`", text), all(`\boutput ([A-Z]\w+)`, text))
		for _, log := range all(`(?m)^lines ([A-Z]\w+) `, text) { // a function of the playbook
			names = append(names, log+"LogGroupName")
		}
		for _, name := range names {
			if !slices.Contains(outputs, name) {
				t.Errorf("%s: the template has no output %s", path, name)
			}
		}
	}
}

// Ensure that the template names the module's version.
func TestVersion(t *testing.T) {
	t.Parallel()
	const want = "(didit-sessions " + version.Version + ")\n"
	if description := all(`(?m)^Description: (.*\n)`, read(t, "template.yaml")); len(description) != 1 || !strings.HasSuffix(description[0], want) {
		t.Errorf("template.yaml is described as %q, want %q at its end", description, want)
	}
}

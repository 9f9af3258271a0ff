//go:build system

package systemtest

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"didit-sessions/internal/didit/didittest"
)

// makeResources makes what the transformed template defines, under the logical ids: the SAM CLI
// puts those for references.
func (s *system) makeResources(t *testing.T) {
	s.makeTable(t)
	s.makeSecrets(t)
	s.makeBus(t)
	s.stateMachine = s.putStateMachine(t, "VerifyIdentity", s.definition(t))
	s.startPump(t)
}

// only returns the logical id of the one resource of the type, and decodes its properties.
func (s *system) only(t *testing.T, kind string, properties any) (logicalID string) {
	t.Helper()
	id, text, err := s.template.only(kind)
	if err == nil {
		err = json.Unmarshal(text, properties)
	}
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (s *system) makeTable(t *testing.T) {
	t.Helper()
	var definition map[string]any
	s.table = s.only(t, "AWS::DynamoDB::Table", &definition)
	table := map[string]any{"TableName": s.table}
	for _, name := range []string{"BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes"} {
		table[name] = definition[name]
	}
	s.call(t, dynamodb, "CreateTable", table, nil)
	s.call(t, dynamodb, "UpdateTimeToLive", map[string]any{
		"TableName": s.table, "TimeToLiveSpecification": definition["TimeToLiveSpecification"]}, nil)
}

// secretValues are what an operator stores in the stack's secrets.
var secretValues = map[string]map[string]string{
	"DiditSecret":   {"client_id": didittest.DefaultClientID, "client_secret": didittest.DefaultClientSecret},
	"WebhookSecret": {"webhook_secret": didittest.DefaultWebhookSecret},
}

func (s *system) makeSecrets(t *testing.T) {
	t.Helper()
	secrets := s.template.all("AWS::SecretsManager::Secret")
	if len(secrets) != len(secretValues) {
		t.Fatal(mismatch("secrets of the template", len(secrets), len(secretValues)))
	}
	for id := range secrets {
		value, known := secretValues[id]
		if !known {
			t.Fatalf("the template has a secret %s, for which this test has no value", id)
		}
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		s.call(t, secretsmanager, "CreateSecret", map[string]string{"Name": id, "SecretString": string(text)}, nil)
	}
}

// makeBus makes the bus, the template's rule, and a rule of this test that matches everything. moto
// hands events to queues, not to functions, so each rule fills a queue.
func (s *system) makeBus(t *testing.T) {
	t.Helper()
	var properties struct{}
	bus := s.only(t, "AWS::Events::EventBus", &properties)
	r, err := s.template.busRule()
	if err != nil {
		t.Fatal(err)
	}
	if r.EventBusName.Ref != bus {
		t.Fatal(mismatch("bus of the rule", r.EventBusName.Ref, bus))
	}
	s.call(t, eventbridge, "CreateEventBus", map[string]string{"Name": bus}, nil)
	for name, pattern := range map[string]string{"rule": string(r.EventPattern), "everything": `{"account":["` + account + `"]}`} {
		var queue struct{ QueueUrl string }
		s.call(t, sqs, "CreateQueue", map[string]string{"QueueName": name}, &queue)
		s.queues[name] = queue.QueueUrl
		s.call(t, eventbridge, "PutRule", map[string]string{"Name": name, "EventBusName": bus, "EventPattern": pattern}, nil)
		s.call(t, eventbridge, "PutTargets", map[string]any{"Rule": name, "EventBusName": bus,
			"Targets": []map[string]string{{"Id": name, "Arn": "arn:aws:sqs:" + region + ":" + account + ":" + name}}}, nil)
	}
}

// definition reads the shipped definition of the state machine, with the template's substitutions.
func (s *system) definition(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(s.template.definitionFile())
	if err != nil {
		t.Fatal(err)
	}
	return s.substitute(t, string(text))
}

// substitute puts what the template does into a definition of a state machine.
func (s *system) substitute(t *testing.T, definition string) string {
	t.Helper()
	var machine struct{ DefinitionSubstitutions map[string]reference }
	s.only(t, "AWS::StepFunctions::StateMachine", &machine)
	for name, alias := range machine.DefinitionSubstitutions {
		arn, err := s.template.aliasARN(alias.Ref)
		if err != nil {
			t.Fatal(err)
		}
		definition = strings.ReplaceAll(definition, "${"+name+"}", arn)
	}
	if strings.Contains(definition, "${") {
		t.Fatal("the template leaves a substitution of the state machine open")
	}
	return definition
}

func (s *system) putStateMachine(t *testing.T, name, definition string) (arn string) {
	t.Helper()
	var made struct {
		ARN string `json:"stateMachineArn"`
	}
	s.call(t, stepfunctions, "CreateStateMachine", map[string]string{
		"name": name, "definition": definition, "roleArn": "arn:aws:iam::" + account + ":role/" + name}, &made)
	return made.ARN
}

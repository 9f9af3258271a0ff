package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"didit-sessions/internal/didit/didittest"
)

// runStateMachines makes moto interpret state machines. It does not by default.
func (s *system) runStateMachines(ctx context.Context, moto string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, moto+"/moto-api/config",
		strings.NewReader(`{"stepfunctions":{"execute_state_machine":true}}`))
	if err != nil {
		return err
	}
	status, body, err := do(r)
	if err == nil && status != http.StatusCreated && status != http.StatusOK {
		err = fmt.Errorf("moto's configuration: status %d: %s", status, body)
	}
	return err
}

// makeResources makes what the transformed template defines, under the logical ids: that is what the SAM CLI
// puts for references to them.
func (s *system) makeResources(ctx context.Context) error {
	for _, do := range []func(context.Context) error{s.makeTable, s.makeSecrets, s.makeBus, s.makeRule, s.makeSpy, s.makeStateMachine} {
		if err := do(ctx); err != nil {
			return err
		}
	}
	s.tracker = s.startPump(s.queues["rule"])
	return nil
}

func (s *system) makeTable(ctx context.Context) error {
	id, properties, err := s.template.only("AWS::DynamoDB::Table")
	if err != nil {
		return err
	}
	var definition map[string]any
	if err := json.Unmarshal(properties, &definition); err != nil {
		return err
	}
	table := map[string]any{"TableName": id}
	for _, name := range []string{"BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes"} {
		table[name] = definition[name]
	}
	if err := s.aws.call(ctx, dynamodb, "CreateTable", table, nil); err != nil {
		return err
	}
	return s.aws.call(ctx, dynamodb, "UpdateTimeToLive", map[string]any{
		"TableName": id, "TimeToLiveSpecification": definition["TimeToLiveSpecification"]}, nil)
}

// secretValues are what an operator stores in the stack's secrets.
var secretValues = map[string]map[string]string{
	"DiditSecret":   {"client_id": didittest.DefaultClientID, "client_secret": didittest.DefaultClientSecret},
	"WebhookSecret": {"webhook_secret": didittest.DefaultWebhookSecret},
}

func (s *system) makeSecrets(ctx context.Context) error {
	secrets := s.template.all("AWS::SecretsManager::Secret")
	if len(secrets) != len(secretValues) {
		return mismatch("secrets of the template", len(secrets), len(secretValues))
	}
	for id := range secrets {
		value, known := secretValues[id]
		if !known {
			return fmt.Errorf("the template has a secret %s, of which this test does not know what to store in it", id)
		}
		text, err := json.Marshal(value)
		if err != nil {
			return err
		}
		if err := s.aws.call(ctx, secretsmanager, "CreateSecret", map[string]string{"Name": id, "SecretString": string(text)}, nil); err != nil {
			return err
		}
	}
	return nil
}

func (s *system) makeBus(ctx context.Context) error {
	id, _, err := s.template.only("AWS::Events::EventBus")
	if err != nil {
		return err
	}
	return s.aws.call(ctx, eventbridge, "CreateEventBus", map[string]string{"Name": id}, nil)
}

// rule is what the template says of one.
type rule struct {
	EventBusName reference
	EventPattern json.RawMessage
	Targets      []struct{ Arn reference }
}

// onBus finds the rule of the template that belongs to its bus, the other being a schedule.
func (t template) onBus() (rule, error) {
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

// makeRule puts the template's rule on the bus. moto hands events to queues, not to functions, so a queue
// stands before the rule's function.
func (s *system) makeRule(ctx context.Context) error {
	r, err := s.template.onBus()
	if err != nil {
		return err
	}
	return s.putRule(ctx, "rule", r.EventBusName.Ref, string(r.EventPattern))
}

// makeSpy puts a rule of this test's own on the bus, which matches everything.
func (s *system) makeSpy(ctx context.Context) error {
	bus, _, err := s.template.only("AWS::Events::EventBus")
	if err != nil {
		return err
	}
	return s.putRule(ctx, "spy", bus, `{"account":["`+account+`"]}`)
}

func (s *system) putRule(ctx context.Context, name, bus, pattern string) error {
	var queue struct{ QueueUrl string }
	if err := s.aws.call(ctx, sqs, "CreateQueue", map[string]string{"QueueName": name}, &queue); err != nil {
		return err
	}
	s.queues[name] = queue.QueueUrl
	return errors.Join(
		s.aws.call(ctx, eventbridge, "PutRule", map[string]string{"Name": name, "EventBusName": bus, "EventPattern": pattern}, nil),
		s.aws.call(ctx, eventbridge, "PutTargets", map[string]any{"Rule": name, "EventBusName": bus,
			"Targets": []map[string]string{{"Id": name, "Arn": "arn:aws:sqs:" + region + ":" + account + ":" + name}}}, nil))
}

// definition reads the shipped definition of the state machine, with the template's substitutions.
func (s *system) definition() (string, error) {
	_, properties, err := s.template.only("AWS::StepFunctions::StateMachine")
	if err != nil {
		return "", err
	}
	var transformed struct {
		DefinitionSubstitutions map[string]reference
	}
	if err := json.Unmarshal(properties, &transformed); err != nil {
		return "", err
	}
	text, err := os.ReadFile(s.template.definitionFile())
	if err != nil {
		return "", err
	}
	definition := string(text)
	for name, alias := range transformed.DefinitionSubstitutions {
		arn, err := s.template.aliasARN(alias.Ref)
		if err != nil {
			return "", err
		}
		definition = strings.ReplaceAll(definition, "${"+name+"}", arn)
	}
	if strings.Contains(definition, "${") {
		return "", errors.New("the template leaves a substitution of the state machine open")
	}
	return definition, nil
}

// definitionFile is where template.yaml says that the definition lies.
func (t template) definitionFile() string {
	for _, r := range t.Source.Resources {
		var machine struct{ DefinitionUri string }
		if r.Type == "AWS::Serverless::StateMachine" && json.Unmarshal(r.Properties, &machine) == nil {
			return machine.DefinitionUri
		}
	}
	return ""
}

// aliasARN is the ARN of an alias of a function, by its logical id.
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

func (s *system) makeStateMachine(ctx context.Context) error {
	definition, err := s.definition()
	if err != nil {
		return err
	}
	s.machine, err = s.putStateMachine(ctx, "VerifyIdentity", definition)
	return err
}

func (s *system) putStateMachine(ctx context.Context, name, definition string) (string, error) {
	var made struct {
		ARN string `json:"stateMachineArn"`
	}
	err := s.aws.call(ctx, stepfunctions, "CreateStateMachine", map[string]string{
		"name": name, "definition": definition, "roleArn": "arn:aws:iam::" + account + ":role/" + name}, &made)
	return made.ARN, err
}

package main

import (
	"strings"
	"testing"

	"didit-sessions/internal/awsfake"
)

// openFake opens the deployment of an account in this process.
func openFake(t *testing.T, a *account) (*ops, *deployment) {
	t.Helper()
	variables := a.environment()
	o, _ := newOps(variables)
	o.env, o.dir = "prod", t.TempDir()
	if err := copyRepository(o.dir); err != nil {
		t.Fatal(err)
	}
	d, err := o.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return o, d
}

func TestDeployment(t *testing.T) {
	a := newAccount(t)
	for name, value := range a.environment() {
		t.Setenv(name, value) // the SDK reads the environment itself
	}
	const secret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:didit-AbCdEf"
	a.secrets[secret] = ""
	a.stacks["didit-sessions"] = &fakeStack{
		status: "UPDATE_COMPLETE", outputs: map[string]string{"SecretArn": secret}, parameters: map[string]string{"CallerAuth": "iam"},
		resources: map[string][2]string{"SessionsTable": {"AWS::DynamoDB::Table", "didit-sessions-SessionsTable-1"}},
	}
	_, d := openFake(t, a)
	if err := d.exists("prod"); err != nil || d.account != awsfake.Account || d.place() != "AWS account …9012 in eu-west-1" {
		t.Errorf("got %q in %q, %v", d.account, d.place(), err)
	}
	if d.output("SecretArn") != secret || d.output("None") != "" || d.parameter("CallerAuth") != "iam" || d.parameter("None") != "" {
		t.Errorf("got the output %q and the parameter %q", d.output("SecretArn"), d.parameter("CallerAuth"))
	}
	resources, err := d.resources(t.Context())
	if err != nil || *resources["SessionsTable"].PhysicalResourceId != "didit-sessions-SessionsTable-1" {
		t.Errorf("got the resources %v, %v", resources, err)
	}
	if got, err := d.readSecret(t.Context(), secret); got != "" || err != nil {
		t.Errorf("a secret without a value: got %q, %v", got, err)
	}
	if err := d.storeSecret(t.Context(), secret, "value"); err != nil {
		t.Error(err)
	}
	if got, err := d.readSecret(t.Context(), secret); got != "value" || err != nil {
		t.Errorf("after storing: got %q, %v", got, err)
	}
	if _, err := d.readSecret(t.Context(), "other"); err == nil || !strings.Contains(err.Error(), "The secret other cannot be read") {
		t.Errorf("a missing secret: got %v", err)
	}
}

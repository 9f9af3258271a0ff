package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"
)

// deployment is what the verbs look at: an AWS account, a region, and in it the stack of one
// environment of samconfig.toml.
type deployment struct {
	sdk     aws.Config
	config  *samconfig
	account string
	profile string // "" for credentials from elsewhere
	name    string // of the stack

	stack *types.Stack // nil: there is none yet
}

// open finds the deployment of the environment that the operator named. The stack need not exist:
// see [deployment.exists].
func (o *ops) open(ctx context.Context) (*deployment, error) {
	config, err := readSamconfig(o.dir)
	if err != nil {
		return nil, err
	}
	if !config.has(o.env) {
		return nil, blind(fmt.Errorf("samconfig.toml has no [%s.deploy.parameters]; it has %s", o.env, strings.Join(config.environments(), ", ")))
	}
	d := &deployment{config: config, name: config.value(o.env, "stack_name")}
	if d.name == "" {
		return nil, blind(fmt.Errorf("samconfig.toml has no stack_name in [%s.global.parameters]", o.env))
	}
	d.profile = cmp.Or(o.getenv("AWS_PROFILE"), config.value(o.env, "profile"))
	region := cmp.Or(o.getenv("AWS_REGION"), o.getenv("AWS_DEFAULT_REGION"), config.value(o.env, "region"))
	d.sdk, err = awsconfig.LoadDefaultConfig(ctx, awsconfig.WithSharedConfigProfile(d.profile), awsconfig.WithRegion(region), awsconfig.WithLogger(logging.Nop{}))
	if err != nil {
		return nil, explain("The AWS configuration cannot be read", err)
	}
	if d.sdk.Region == "" {
		return nil, blind(errors.New("no AWS region is set; set AWS_REGION, for example AWS_REGION=eu-west-1, or a region in the profile"))
	}
	identity, err := sts.NewFromConfig(d.sdk).GetCallerIdentity(ctx, nil)
	if err != nil {
		return nil, explain("AWS does not answer who you are", err)
	}
	d.account = aws.ToString(identity.Account)
	return d, d.describe(ctx)
}

// place names account, region and profile for the operator.
func (d *deployment) place() string {
	account := d.account
	if len(account) > 4 {
		account = "…" + account[len(account)-4:]
	}
	place := fmt.Sprintf("AWS account %s in %s", account, d.sdk.Region)
	if d.profile != "" {
		place += " (profile " + d.profile + ")"
	}
	return place
}

// describe reads the stack again.
func (d *deployment) describe(ctx context.Context) error {
	d.stack = nil
	out, err := cloudformation.NewFromConfig(d.sdk).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &d.name})
	switch {
	case err != nil && strings.Contains(err.Error(), "does not exist"):
		return nil
	case err != nil:
		return explain("The stack "+d.name+" cannot be read", err)
	case len(out.Stacks) > 0:
		d.stack = &out.Stacks[0]
	}
	return nil
}

// exists returns an error unless the stack is there.
func (d *deployment) exists(env string) error {
	if d.stack == nil || d.stack.StackStatus == types.StackStatusReviewInProgress {
		return fmt.Errorf("there is no stack %s in account %s, %s; run make deploy ENV=%s first", d.name, d.account, d.sdk.Region, env)
	}
	return nil
}

// output returns an output of the stack; "" if it has none of that name.
func (d *deployment) output(name string) string {
	if d.stack == nil {
		return ""
	}
	for _, o := range d.stack.Outputs {
		if aws.ToString(o.OutputKey) == name {
			return aws.ToString(o.OutputValue)
		}
	}
	return ""
}

// parameter returns the value of a parameter of the stack as it is deployed.
func (d *deployment) parameter(name string) string {
	if d.stack == nil {
		return ""
	}
	for _, p := range d.stack.Parameters {
		if aws.ToString(p.ParameterKey) == name {
			return aws.ToString(p.ParameterValue)
		}
	}
	return ""
}

// resources returns the stack's resources, by logical id.
func (d *deployment) resources(ctx context.Context) (map[string]types.StackResourceSummary, error) {
	found := map[string]types.StackResourceSummary{}
	pages := cloudformation.NewListStackResourcesPaginator(cloudformation.NewFromConfig(d.sdk), &cloudformation.ListStackResourcesInput{StackName: &d.name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, explain("The resources of "+d.name+" cannot be listed", err)
		}
		for _, r := range page.StackResourceSummaries {
			found[aws.ToString(r.LogicalResourceId)] = r
		}
	}
	return found, nil
}

// readSecret returns the current value of a secret; "" if none is stored.
func (d *deployment) readSecret(ctx context.Context, id string) (string, error) {
	out, err := secretsmanager.NewFromConfig(d.sdk).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &id})
	if _, none := errors.AsType[*smtypes.ResourceNotFoundException](err); none && strings.Contains(err.Error(), "staging label") {
		return "", nil
	}
	if err != nil {
		return "", explain("The secret "+id+" cannot be read", err)
	}
	return aws.ToString(out.SecretString), nil
}

// storeSecret makes a value the current one of a secret.
func (d *deployment) storeSecret(ctx context.Context, id, value string) error {
	_, err := secretsmanager.NewFromConfig(d.sdk).PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &id, SecretString: &value})
	if err != nil {
		return explain("The secret "+id+" cannot be written", err)
	}
	return nil
}

// confirmStack asks a question whose answer must be the name of the stack.
func (o *ops) confirmStack(ctx context.Context, d *deployment, name *question) error {
	q := *name
	q.check = func(_ context.Context, answer string) (string, error) {
		if answer != d.name {
			return "", fmt.Errorf("the name is %s", d.name)
		}
		return answer, nil
	}
	if _, err := o.ask(ctx, &q); err != nil {
		return err
	}
	return o.complete()
}

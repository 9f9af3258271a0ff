package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

var deployVerb = &verb{
	name: "deploy", summary: "check, ask what is missing, build, deploy, and see that every function starts",
	questions: []*question{
		askKey, askWorkflows, askCallers, askIssuer, askAudience, askToken, askCallbacks, askOrigins, askEmail, askTable,
	},
	run: deploy,
}

// deploy takes what is in the repository to AWS. Everything that can be known before the build is
// checked before it.
func deploy(ctx context.Context, o *ops) error {
	p, err := o.plan(ctx)
	if err != nil {
		return err
	}
	arguments, err := p.template.overrides(p.values)
	if err != nil {
		return blind(err)
	}
	if err := p.config.write(); err != nil {
		return err
	}
	if err := o.build(ctx, p); err != nil {
		return err
	}
	if err := o.deployStack(ctx, p, arguments); err != nil {
		return err
	}
	if err := p.describe(ctx); err != nil {
		return err
	}
	if err := o.checkStarts(ctx, p.deployment); err != nil {
		return err
	}
	if err := o.storeKey(ctx, p); err != nil {
		return err
	}
	o.sayResult(p.deployment)
	return nil
}

// plan is what is to be deployed, and where.
type plan struct {
	*deployment
	template *template
	values   map[string]string // of parameters
	key      string            // of Didit, if it is known
}

// plan checks the tools, the account and the stack, asks what is missing, and checks the answers.
func (o *ops) plan(ctx context.Context) (*plan, error) {
	p := &plan{}
	python, err := o.checkTools(ctx)
	if err != nil {
		return nil, err
	}
	if p.template, err = readTemplate(o.dir); err != nil {
		return nil, err
	}
	if p.deployment, err = o.open(ctx); err != nil {
		return nil, err
	}
	if err := p.checkState(o.env); err != nil {
		return nil, err
	}
	if p.values, err = p.config.overrides(o.env); err != nil {
		return nil, err
	}
	limits, unknown := p.limits(ctx)
	concurrency := "unknown" // without the right to look, which is worth no refusal
	if unknown == nil {
		concurrency = thousands(limits.ConcurrentExecutions)
	}
	o.say("Checking  Go %s, Python %s, %s, Lambda concurrency %s", strings.TrimPrefix(runtime.Version(), "go"), python, p.place(), concurrency)
	if err := o.askAll(ctx, p); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(p.values)) {
		if err := p.template.check(name, p.values[name]); err != nil {
			o.missing = append(o.missing, "samconfig.toml: "+err.Error())
		}
	}
	if err := checkDomain(p.values); err != nil {
		o.missing = append(o.missing, "samconfig.toml: "+err.Error())
	}
	if err := o.complete(); err != nil {
		return nil, err
	}
	if err := p.checkTable(ctx); err != nil {
		return nil, err
	}
	if unknown != nil {
		return p, nil
	}
	return p, p.checkReserved(limits.UnreservedConcurrentExecutions)
}

// checkTools returns the version of Python, or one sentence about what is missing.
func (o *ops) checkTools(ctx context.Context) (python string, err error) {
	for tool, from := range map[string]string{
		"python3": "Python 3.11 or newer: https://www.python.org/downloads", "make": "make: your system's packages have it", "go": "Go: https://go.dev/dl",
	} {
		if _, err := exec.LookPath(tool); err != nil {
			return "", blind(fmt.Errorf("%s is missing. Install %s", tool, from))
		}
	}
	command := o.child(ctx, "python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2]); sys.exit(sys.version_info < (3, 11))")
	command.Stdin, command.Stdout = nil, nil
	out, err := command.Output()
	python = strings.TrimSpace(string(out))
	if err != nil {
		return "", blind(fmt.Errorf("found Python %s; 3.11 or newer is needed: https://www.python.org/downloads", python))
	}
	file, err := os.CreateTemp(o.dir, ".writable")
	if err != nil {
		return "", blind(errors.New("the repository's folder is read-only, and the build writes into it; clone it to another place"))
	}
	_ = file.Close()
	return python, os.Remove(file.Name())
}

// limits are the account's concurrency in the region.
func (d *deployment) limits(ctx context.Context) (limits struct{ ConcurrentExecutions, UnreservedConcurrentExecutions int }, err error) {
	out, err := lambda.NewFromConfig(d.sdk).GetAccountSettings(ctx, nil)
	if err != nil {
		return limits, explain("The account's limits cannot be read", err)
	}
	if out.AccountLimit != nil {
		limits.ConcurrentExecutions = int(out.AccountLimit.ConcurrentExecutions)
		limits.UnreservedConcurrentExecutions = int(aws.ToInt32(out.AccountLimit.UnreservedConcurrentExecutions))
	}
	return limits, nil
}

// keptUnreserved is what an account cannot reserve (AWS Lambda: reserved concurrency).
const keptUnreserved = 100

// checkReserved returns an error if the account cannot reserve what the functions are to get. What
// the deployed stack holds already is available.
func (p *plan) checkReserved(unreserved int) error {
	var each, deployed int
	_, _ = fmt.Sscan(p.values["ReservedConcurrency"], &each)
	_, _ = fmt.Sscan(p.parameter("ReservedConcurrency"), &deployed)
	need := each*p.template.reserved + keptUnreserved
	if have := unreserved + deployed*p.template.reserved; each > 0 && need > have {
		return fmt.Errorf("ReservedConcurrency=%d needs %d of the account's concurrency, %d of which must stay unreserved, and %d are free; set it to 0, or ask AWS for more (Service Quotas, Lambda, concurrent executions)",
			each, need, keptUnreserved, have)
	}
	return nil
}

// checkState returns one sentence if the stack's state allows no deployment.
func (d *deployment) checkState(env string) error {
	if d.stack == nil {
		return nil
	}
	switch state := string(d.stack.StackStatus); {
	case state == "REVIEW_IN_PROGRESS":
		return nil
	case state == "ROLLBACK_COMPLETE", state == "ROLLBACK_FAILED", state == "DELETE_FAILED", state == "CREATE_FAILED":
		return fmt.Errorf("the stack %s is in the state %s, which cannot be deployed to; delete it first: make destroy ENV=%s", d.name, state, env)
	case state == "UPDATE_ROLLBACK_FAILED":
		return fmt.Errorf("the stack %s is in the state %s; finish the rollback first: aws cloudformation continue-update-rollback --stack-name %s", d.name, state, d.name)
	case strings.HasSuffix(state, "_IN_PROGRESS"):
		return fmt.Errorf("the stack %s is being changed by another deployment (%s); wait until that has ended, and run this again", d.name, state)
	}
	return nil
}

// build installs the SAM CLI, if it is not there yet, and builds the functions.
func (o *ops) build(ctx context.Context, p *plan) error {
	err := o.step(ctx, "Installing the SAM CLI into .venv", func(ctx context.Context) error {
		return o.quietly(o.child(ctx, "make", ".venv/ready"))
	})
	if err != nil {
		return failed("make .venv/ready", err)
	}
	err = o.step(ctx, "Building the functions", func(ctx context.Context) error {
		return o.quietly(p.inPlace(o.sam(ctx, "build")))
	})
	if err != nil {
		return failed("sam build", err)
	}
	return nil
}

func (o *ops) deployStack(ctx context.Context, p *plan, arguments []string) error {
	args := append([]string{"deploy", "--config-env", o.env, "--parameter-overrides"}, arguments...)
	confirm := p.config.value(o.env, "confirm_changeset") == "true"
	if confirm && o.interactive() { // it shows the changes and asks whether to go on
		if err := p.inPlace(o.sam(ctx, args...)).Run(); err != nil {
			return failed("sam deploy", err)
		}
		return nil
	}
	if confirm {
		args = append(args, "--no-confirm-changeset")
	}
	err := o.step(ctx, "Deploying "+p.name, func(ctx context.Context) error {
		return o.quietly(p.inPlace(o.sam(ctx, args...)))
	})
	if err != nil {
		return failed("sam deploy", err)
	}
	return nil
}

// inPlace gives a child of the SAM CLI the region by both names, because it does not know
// AWS_REGION, and a place for its own files where the home folder is read-only.
func (d *deployment) inPlace(command *exec.Cmd) *exec.Cmd {
	command.Env = append(command.Env, "AWS_REGION="+d.sdk.Region, "AWS_DEFAULT_REGION="+d.sdk.Region, "SAM_CLI_TELEMETRY=0")
	home, err := os.UserHomeDir()
	if err == nil {
		err = os.MkdirAll(filepath.Join(home, ".aws-sam"), 0o755)
	}
	if err != nil {
		command.Env = append(command.Env, "__SAM_CLI_APP_DIR="+filepath.Join(".aws-sam", "cli"))
	}
	return command
}

// checkStarts probes every function, and shows why one does not start.
func (o *ops) checkStarts(ctx context.Context, d *deployment) error {
	var starts []start
	err := o.step(ctx, "Starting every function once", func(ctx context.Context) (err error) {
		starts, err = d.probeAll(ctx)
		return err
	})
	if err != nil {
		return err
	}
	broken := 0
	for _, s := range starts {
		if s.err != nil {
			broken++
			o.say("%s does not start: %v", s.function, s.err)
		}
	}
	if broken > 0 {
		return fmt.Errorf("%d of %d functions do not start; after fixing the cause, run make deploy ENV=%s again", broken, len(starts), o.env)
	}
	o.say("%d functions start", len(starts))
	return nil
}

// storeKey puts Didit's key into the stack's secret, if the operator gave one and the secret has no
// value, so that connect need not ask again.
func (o *ops) storeKey(ctx context.Context, p *plan) error {
	arn := p.output("SecretArn")
	if p.key == "" || arn == "" {
		return nil
	}
	stored, err := p.readSecret(ctx, arn)
	if err != nil || stored != "" {
		return err
	}
	if err := p.storeSecret(ctx, arn, keySecret(p.key)); err != nil {
		return err
	}
	o.say("Didit's key is in Secrets Manager")
	return nil
}

func (o *ops) sayResult(d *deployment) {
	for _, line := range [][2]string{{"API", "ApiUrl"}, {"Dashboard", "DashboardUrl"}} {
		if value := d.output(line[1]); value != "" {
			o.say("%-10s %s", line[0], value)
		}
	}
	o.say("%-10s make connect ENV=%s", "Next", o.env)
}

// thousands formats a number for people.
func thousands(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
)

var destroyVerb = &verb{
	name: "destroy", summary: "delete the stack; says first what stays, and asks",
	questions: []*question{confirmDestroy},
	run:       destroy,
}

var confirmDestroy = &question{
	flag: "yes", variable: "CONFIRM", prompt: "To delete it, enter the name of the stack",
	usage: "the name of the stack, which confirms that it is to be deleted",
}

// destroy deletes the stack, after it has said what goes, what stays, and what others must take
// away first.
func destroy(ctx context.Context, o *ops) error {
	d, err := o.open(ctx)
	if err != nil {
		return err
	}
	o.say("%s", d.place())
	if err := d.exists(o.env); err != nil {
		return err
	}
	if state := d.stack.StackStatus; strings.HasSuffix(string(state), "_IN_PROGRESS") {
		return fmt.Errorf("the stack %s is being changed (%s); wait until that has ended, and run this again", d.name, state)
	}
	resources, err := d.resources(ctx)
	if err != nil {
		return err
	}
	if err := d.checkForeignRules(ctx, resources); err != nil {
		return err
	}
	o.sayFate(d, resources)
	if err := o.confirmStack(ctx, d, confirmDestroy); err != nil {
		return err
	}
	err = o.step(ctx, "Deleting "+d.name, func(ctx context.Context) error {
		return o.quietly(d.inPlace(o.sam(ctx, "delete", "--config-env", o.env, "--stack-name", d.name, "--no-prompts", "--region", d.sdk.Region)))
	})
	if err != nil {
		return failed("sam delete", err)
	}
	o.say("The stack %s is deleted.", d.name)
	return nil
}

// checkForeignRules returns an error that names the rules of others on the stack's bus: with them
// the bus cannot be deleted, and the stack would end in DELETE_FAILED.
func (d *deployment) checkForeignRules(ctx context.Context, resources map[string]types.StackResourceSummary) error {
	bus := aws.ToString(resources["EventBus"].PhysicalResourceId)
	if bus == "" || resources["EventBus"].ResourceStatus == types.ResourceStatusDeleteComplete {
		return nil
	}
	ours := map[string]bool{}
	for _, r := range resources {
		_, rule, found := strings.Cut(aws.ToString(r.PhysicalResourceId), "|") // the bus and the rule
		if aws.ToString(r.ResourceType) == "AWS::Events::Rule" && found {
			ours[rule] = true
		}
	}
	var foreign []string
	for in := (&eventbridge.ListRulesInput{EventBusName: &bus}); ; {
		out, err := eventbridge.NewFromConfig(d.sdk).ListRules(ctx, in)
		if err != nil {
			return explain("The rules on the bus "+bus+" cannot be listed", err)
		}
		for _, r := range out.Rules {
			if name := aws.ToString(r.Name); !ours[name] {
				foreign = append(foreign, name)
			}
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
	}
	if len(foreign) > 0 {
		return fmt.Errorf("others have rules on the bus %s, which cannot be deleted with them: %s; have their owners delete them first", bus, strings.Join(foreign, ", "))
	}
	return nil
}

// sayFate says what is deleted, what stays, and what is left to do by hand.
func (o *ops) sayFate(d *deployment, resources map[string]types.StackResourceSummary) {
	o.say("The stack %s has %d resources. With it go:", d.name, len(resources))
	o.say("  the API and its URL, the functions, the bus, the alarms, and all logs")
	for id, what := range map[string]string{"DiditSecret": "Didit's credentials", "WebhookSecret": "the webhook secret"} {
		if _, own := resources[id]; own {
			o.say("  the secret with %s", what)
		}
	}
	if _, runs := resources["VerifyIdentity"]; runs {
		o.say("  the state machine VerifyIdentity, and its executions end")
	}
	o.say("It stays:")
	if table := aws.ToString(resources["SessionsTable"].PhysicalResourceId); table != "" {
		o.say("  the table %s with its records, which the next make deploy offers to take over", table)
	}
	o.say("  secrets and tables that you brought along, and the SAM CLI's bucket")
	o.say("Left to you:")
	if url := d.output("WebhookUrl"); url != "" {
		o.say("  delete the webhook destination at Didit: %s", url)
	}
	o.say("  tasks of other teams' workflows that wait for a decision wait until they time out")
}

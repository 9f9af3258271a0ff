package main

import (
	"context"
	"fmt"
)

var destroyVerb = &verb{
	name:      "destroy",
	summary:   "delete the stack; says first what stays, and asks",
	questions: []*question{confirmDestroy},
	run:       destroy,
}

var confirmDestroy = &question{
	flag: "yes", variable: "CONFIRM", prompt: "Delete it? The name of the stack",
	usage: "the name of the stack, which confirms that it is to be deleted",
}

func destroy(ctx context.Context, o *ops) error {
	d, err := o.open(ctx)
	if err != nil {
		return err
	}
	o.say("%s", d.place())
	if err := d.exists(o.env); err != nil {
		return err
	}
	q := *confirmDestroy
	q.check = func(_ context.Context, answer string) (string, error) {
		if answer != d.name {
			return "", fmt.Errorf("the name is %s", d.name)
		}
		return answer, nil
	}
	if _, err := o.ask(ctx, &q); err != nil {
		return err
	}
	if err := o.complete(); err != nil {
		return err
	}
	if err := d.inPlace(o.sam(ctx, "delete", "--config-env", o.env, "--no-prompts")).Run(); err != nil {
		return failed("sam delete", err)
	}
	return nil
}

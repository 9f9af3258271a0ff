package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"didit-sessions/internal/cmd/ops/management"
)

// askDidit finds Didit's key and the workflows. The key that the stack holds already is used; a
// person is asked for one only if the workflows are not known.
func (o *ops) askDidit(ctx context.Context, p *plan) error {
	known := o.known(askWorkflows) || p.values["WorkflowIds"] != "" && p.values["WorkflowIds"] != placeholder
	var client *management.Client
	var workflows []management.Workflow
	q := *askKey
	q.optional = known
	q.check = func(ctx context.Context, answer string) (string, error) {
		client = &management.Client{URL: cmp.Or(p.values["DiditApiUrl"], o.getenv("DIDIT_API_URL")), Key: management.Key(answer)}
		var err error
		if workflows, err = client.Workflows(ctx); err != nil {
			return "", explainDidit(err)
		}
		return answer, nil
	}
	var err error
	switch stored := p.storedKey(ctx); {
	case o.known(askKey):
		p.key, err = o.ask(ctx, &q)
	case stored != "":
		// What is stored and does not serve is for doctor to find.
		if _, unusable := q.check(ctx, stored); unusable == nil {
			p.key = stored
		}
	case !known && o.interactive():
		p.key, err = o.ask(ctx, &q)
	}
	if err != nil {
		return err
	}
	if p.key != "" {
		o.say("  accepted: %s", count(len(workflows), "workflow"))
	}
	return o.askWorkflow(ctx, p, workflows)
}

// explainDidit is [explain] for Didit.
func explainDidit(err error) error {
	if errors.Is(err, management.ErrRefused) {
		return err
	}
	if e := explainNetwork("no answer of Didit", err); e != nil {
		return e
	}
	return blind(fmt.Errorf("no usable answer of Didit: %s", firstLine(err.Error())))
}

// storedKey is the key in the stack's secret; "" if there is none, or it cannot be read.
func (p *plan) storedKey(ctx context.Context) string {
	arn := p.output("SecretArn")
	if arn == "" {
		return ""
	}
	text, err := p.readSecret(ctx, arn)
	if err != nil {
		return ""
	}
	return keyOf(text)
}

// keyOf returns the API key of a secret's text: the client secret is one (Didit: Get credentials).
func keyOf(secret string) string {
	var s struct {
		APIKey       string `json:"api_key"`
		ClientSecret string `json:"client_secret"`
	}
	_ = json.Unmarshal([]byte(secret), &s)
	return cmp.Or(s.APIKey, s.ClientSecret)
}

// keySecret returns the text of the secret that holds a key.
func keySecret(key string) string {
	text, _ := json.Marshal(map[string]string{"api_key": key})
	return string(text)
}

// askWorkflow shows the workflows and takes their numbers or ids; what is configured is compared
// with them.
func (o *ops) askWorkflow(ctx context.Context, p *plan, workflows []management.Workflow) error {
	q := *askWorkflows
	q.check = func(_ context.Context, answer string) (string, error) { return pickWorkflows(answer, workflows) }
	if current := p.values["WorkflowIds"]; current != "" && current != placeholder && !o.known(&q) {
		if _, err := pickWorkflows(current, workflows); err != nil {
			o.missing = append(o.missing, "WorkflowIds in samconfig.toml: "+err.Error())
		}
	}
	return o.parameter(ctx, p, &q, func(ctx context.Context, q *question) (string, error) {
		if o.interactive() && !o.known(q) {
			o.say("Workflow  %s", describeWorkflows(workflows))
		}
		return o.ask(ctx, q)
	})
}

func describeWorkflows(workflows []management.Workflow) string {
	var list []string
	for i, w := range workflows {
		state := "published"
		switch {
		case !w.Usable():
			state = "not published, cannot be used"
		case w.Default:
			state = "published, default"
		}
		list = append(list, fmt.Sprintf("[%d] %.60s (%s)", i+1, w.Label, state))
	}
	return strings.Join(list, "  ")
}

// pickWorkflows turns numbers and ids into ids, and refuses what Didit would refuse. Without a list
// everything passes.
func pickWorkflows(answer string, workflows []management.Workflow) (string, error) {
	if answer == "*" || len(workflows) == 0 {
		return answer, nil
	}
	var ids []string
	for entry := range strings.SplitSeq(answer, ",") {
		entry = strings.TrimSpace(entry)
		i := slices.IndexFunc(workflows, func(w management.Workflow) bool { return strings.EqualFold(w.ID, entry) })
		for n := range workflows {
			if entry == fmt.Sprint(n+1) {
				i = n
			}
		}
		switch {
		case i < 0:
			return "", fmt.Errorf("%.40s is no workflow of this key's application; it has %s", entry, describeWorkflows(workflows))
		case !workflows[i].Usable():
			return "", fmt.Errorf("the workflow %.60s is not published; publish it in Didit's console, or choose another", workflows[i].Label)
		}
		ids = append(ids, workflows[i].ID)
	}
	return strings.Join(ids, ","), nil
}

package main

import (
	"cmp"
	"context"
	"errors"
)

// placeholder stands in samconfig.toml for what each deployment must set.
const placeholder = "EDIT-ME"

// What deploy asks. The variables are those of the functions, where there is one.
var (
	askKey = &question{
		flag: "api-key", variable: "DIDIT_API_KEY", secret: true,
		prompt: "Didit API key (hidden; a sandbox key is fine, its sessions are free)",
		usage:  "Didit's API key, or the client secret, which is one",
	}
	askWorkflows = &question{
		flag: "workflows", variable: "WORKFLOW_IDS", parameter: "WorkflowIds", prompt: "  >",
		usage: "ids of the workflows that may be used, separated by commas; the first is the default",
	}
	askCallers = &question{
		flag: "callers", variable: "CALLER_AUTH", parameter: "CallerAuth", prompt: "Who calls the API?",
		usage: "jwt: signed-in users of an app; iam: your own servers",
	}
	askIssuer = &question{
		flag: "issuer", variable: "JWT_ISSUER", parameter: "JwtIssuer", prompt: "Issuer (iss of the tokens)",
		usage: "the issuer of the users' tokens, exactly as in their claim iss",
	}
	askAudience = &question{
		flag: "audience", variable: "JWT_AUDIENCE", parameter: "JwtAudience", hidden: true,
		prompt: "Audience, or a token to read it from (hidden, because a token is a secret)",
		usage:  "the accepted audience (claim aud or client_id)",
	}
	askToken = &question{
		flag: "token", variable: "TOKEN", secret: true, optional: true,
		usage: "a user's token, to read the audience from",
	}
	askCallbacks = &question{
		flag: "callbacks", variable: "ALLOWED_CALLBACKS", parameter: "AllowedCallbacks", optional: true,
		prompt: "Where may the app send users back? (none)",
		usage:  "URL prefixes and app schemes that a user's callback may have, separated by commas",
	}
	askOrigins = &question{
		flag: "origins", variable: "ALLOWED_ORIGINS", parameter: "AllowedOrigins", optional: true,
		prompt: "Web pages that call the API? (none)", usage: "origins of web pages that may call the API, separated by commas",
	}
	askEmail = &question{
		flag: "alarm-email", variable: "ALARM_EMAIL", parameter: "AlarmEmail", optional: true,
		prompt: "E-mail address for alarms? (none: alarms are visible in CloudWatch only)", usage: "the e-mail address that alarms are sent to",
	}
	askTable = &question{
		flag: "existing-table", variable: "EXISTING_TABLE_NAME", parameter: "ExistingTableName",
		usage: "the table of an earlier stack that is to be taken over, or new",
	}
)

// askAll asks what samconfig.toml does not say, and checks what can be checked outside this
// machine. It puts the answers into samconfig.toml's text; writing it is left to the caller.
func (o *ops) askAll(ctx context.Context, p *plan) error {
	for _, step := range []func(context.Context, *plan) error{o.askDidit, o.askDoor, o.askRest, o.askLeftTable} {
		if err := step(ctx, p); err != nil {
			return err
		}
	}
	// What was not asked is not needed, as the issuer is with CallerAuth=iam.
	for name, value := range p.values {
		if fallback := p.template.Parameters[name].Default; value == placeholder && fallback != nil {
			p.values[name] = *fallback
			if err := p.config.setOverride(o.env, name, *fallback); err != nil {
				return err
			}
		}
	}
	return nil
}

// parameter returns a parameter's value: from the flag or the variable, else from samconfig.toml,
// else by ask. It keeps the answer.
func (o *ops) parameter(ctx context.Context, p *plan, q *question, ask func(context.Context, *question) (string, error)) error {
	current, set := p.values[q.parameter]
	if _, exists := p.template.Parameters[q.parameter]; !exists {
		return nil
	}
	if set && current != placeholder && !o.known(q) {
		return nil
	}
	asked := *q
	asked.check = func(ctx context.Context, answer string) (string, error) {
		if q.check != nil {
			var err error
			if answer, err = q.check(ctx, answer); err != nil {
				return "", err
			}
		}
		return answer, p.template.check(q.parameter, answer)
	}
	answer, err := ask(ctx, &asked)
	if err != nil {
		return err
	}
	if set && current != placeholder && answer == current {
		return nil
	}
	if answer == "" && !q.optional { // it is missing, which complete reports
		delete(p.values, q.parameter)
		return nil
	}
	if _, name := o.given(q); set && current != placeholder && name != "" {
		o.say("  %s changes from %q to %q, by %s", q.parameter, current, answer, name)
	}
	p.values[q.parameter] = answer
	return p.config.setOverride(o.env, q.parameter, answer)
}

// askDoor asks who calls the API, and how signed-in users prove who they are.
func (o *ops) askDoor(ctx context.Context, p *plan) error {
	err := o.parameter(ctx, p, askCallers, func(ctx context.Context, q *question) (string, error) {
		doors := []string{"jwt", "iam"}
		if !o.interactive() || o.known(q) {
			return o.ask(ctx, q)
		}
		o.say("%s  [1] signed-in users of an app (JWT)   [2] your own servers (IAM)", q.prompt)
		asked := *q
		asked.prompt = ""
		i, err := o.choose(ctx, &asked, doors)
		if err != nil || i < 0 {
			return "", err
		}
		return doors[i], nil
	})
	if err != nil || cmp.Or(p.values["CallerAuth"], "jwt") != "jwt" {
		return err
	}
	q := *askIssuer
	q.check = func(ctx context.Context, answer string) (string, error) {
		if err := p.template.check(askIssuer.parameter, answer); err != nil {
			return "", err
		}
		found, err := checkIssuer(ctx, answer)
		if err == nil {
			o.say("  %s", found)
		}
		return answer, err
	}
	if current := p.values["JwtIssuer"]; current != "" && current != placeholder && !o.known(&q) {
		if _, err := q.check(ctx, current); err != nil {
			o.missing = append(o.missing, "JwtIssuer in samconfig.toml: "+err.Error())
		}
	}
	if err := o.parameter(ctx, p, &q, o.ask); err != nil {
		return err
	}
	return o.parameter(ctx, p, askAudience, func(ctx context.Context, q *question) (string, error) {
		return o.askAudience(ctx, p, q)
	})
}

// askAudience asks for the audience. A token is taken for it at the prompt, and by its own
// variable.
func (o *ops) askAudience(ctx context.Context, p *plan, q *question) (string, error) {
	check := q.check
	read := func(ctx context.Context, token string) (string, error) {
		audience, err := audienceOf(token, p.values["JwtIssuer"])
		if err != nil {
			return "", err
		}
		return check(ctx, audience)
	}
	if o.known(askToken) && !o.known(q) {
		t := *askToken
		t.check = read
		audience, err := o.ask(ctx, &t)
		if audience != "" {
			o.say("  audience %s", audience)
		}
		return audience, err
	}
	prompted := o.interactive() && !o.known(q)
	q.check = func(ctx context.Context, answer string) (string, error) {
		switch {
		case !isToken(answer):
			return check(ctx, answer)
		case !prompted:
			return "", errors.New("a token is a secret: give it by TOKEN, or -token-stdin")
		}
		return read(ctx, answer)
	}
	audience, err := o.ask(ctx, q)
	if prompted && audience != "" {
		o.say("  audience %s", audience)
	}
	return audience, err
}

func (o *ops) askRest(ctx context.Context, p *plan) error {
	for _, q := range []*question{askCallbacks, askOrigins, askEmail} {
		if q == askEmail && p.values["AlarmTopicArn"] != "" {
			if o.known(q) || p.values["AlarmEmail"] != "" { // a rule of template.yaml
				o.missing = append(o.missing, "AlarmEmail and AlarmTopicArn exclude each other; subscribe further addresses to the topic")
			}
			continue
		}
		if err := o.parameter(ctx, p, q, o.ask); err != nil {
			return err
		}
	}
	return nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	cftypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"didit-sessions/internal/cmd/ops/management"
)

var doctorVerb = &verb{
	name:      "doctor",
	summary:   "look at everything that a deployment needs, a line each, with the command that repairs it",
	questions: []*question{askUserToken},
	local:     true,
	json:      true,
	run:       doctor,
}

var askUserToken = &question{
	flag: "token", variable: "TOKEN", prompt: "Token", usage: "a user's token whose 401 is to be explained", secret: true, optional: true,
}

// The words of a finding's status.
const (
	statusOK      = "ok"
	statusWarn    = "WARN"
	statusFail    = "FAIL"
	statusUnknown = "?" // could not look
)

// A finding is what one check comes to.
type finding struct {
	Check  string `json:"check"`
	Status string `json:"status"`
	Text   string `json:"text"`
	Fix    string `json:"fix,omitempty"`
}

func ok(format string, args ...any) finding {
	return finding{Status: statusOK, Text: fmt.Sprintf(format, args...)}
}

func warn(fix, format string, args ...any) finding {
	return finding{Status: statusWarn, Text: fmt.Sprintf(format, args...), Fix: fix}
}

func fail(fix, format string, args ...any) finding {
	return finding{Status: statusFail, Text: fmt.Sprintf(format, args...), Fix: fix}
}

// unseen is the finding of a check that could not look.
func unseen(err error) finding { return finding{Status: statusUnknown, Text: err.Error()} }

// wrong is the finding of an error: something is wrong, or the check could not look.
func wrong(fix string, err error) finding {
	if isBlind(err) {
		return unseen(err)
	}
	return fail(fix, "%v", err)
}

// A check is one subject that the doctor looks at.
type check struct {
	name  string
	stack bool // only of a stack in AWS
	look  func(context.Context) []finding
}

// examination is one run of doctor.
type examination struct {
	*ops
	*site
	didit    *management.Client // nil without a key
	findings []finding
	found    map[string]cftypes.StackResourceSummary // the stack's resources, once they were read
}

func (e *examination) checks() []check {
	return []check{
		{"Stack", true, one(e.lookAtStack)},
		{"Functions", true, e.lookAtFunctions},
		{"Secrets", false, e.lookAtSecrets},
		{"Didit API key", false, one(e.lookAtKey)},
		{"Workflow", false, e.lookAtWorkflows},
		{"Credits", false, one(e.lookAtCredits)},
		{"Webhook", false, e.lookAtDestination},
		{"Application", false, e.lookAtApplication},
		{"Issuer", true, one(e.lookAtIssuer)},
		{"Token", false, e.lookAtToken},
		{"Queues", true, e.lookAtQueues},
		{"Sessions", true, e.lookAtGauges},
		{"Concurrency", true, one(e.lookAtConcurrency)},
		{"Alarms", true, one(e.lookAtAlarms)},
	}
}

func one(look func(context.Context) finding) func(context.Context) []finding {
	return func(ctx context.Context) []finding { return []finding{look(ctx)} }
}

// doctor looks at everything and repairs nothing.
func doctor(ctx context.Context, o *ops) error {
	s, err := o.openSite(ctx)
	if err != nil {
		return err
	}
	if !o.json {
		o.say("Looking at %s", s.place)
	}
	e := &examination{ops: o, site: s}
	for _, c := range e.checks() {
		if c.stack && s.stack == nil {
			continue
		}
		var found []finding
		err := o.step(ctx, "Looking at "+c.name, func(ctx context.Context) error { found = c.look(ctx); return ctx.Err() })
		if err != nil {
			return err
		}
		for _, f := range found {
			f.Check = c.name
			e.findings = append(e.findings, f)
			if !o.json {
				o.say("%s", f)
			}
		}
	}
	return e.conclude()
}

// String is the finding's line, and in a second one what repairs it.
func (f finding) String() string {
	line := fmt.Sprintf("%-4s %-13s %s", f.Status, f.Check, f.Text)
	if f.Fix != "" {
		line += "\n                   → " + f.Fix
	}
	return line
}

// conclude prints the sum, or with -json the document, and returns the error that the exit status
// follows.
func (e *examination) conclude() error {
	counts := map[string]int{}
	for _, f := range e.findings {
		counts[f.Status]++
	}
	if e.json {
		document := map[string]any{"env": e.env, "ok": counts[statusFail]+counts[statusUnknown] == 0, "checks": e.findings}
		if err := e.printJSON(document); err != nil {
			return blind(err)
		}
	} else {
		e.say("%d ok, %s, %d wrong, %d not seen", counts[statusOK], count(counts[statusWarn], "warning"), counts[statusFail], counts[statusUnknown])
	}
	switch {
	case counts[statusFail] > 0:
		return errSilent
	case counts[statusUnknown] > 0:
		return blind(errSilent)
	}
	return nil
}

// connectFix is the command that repairs what connect sets up.
func (e *examination) connectFix() string { return "make connect ENV=" + e.env }

// lookAtSecrets looks whether both are stored and well-formed.
func (e *examination) lookAtSecrets(ctx context.Context) []finding {
	var found []finding
	for _, name := range []secretName{diditSecret, webhookSecret} {
		text, err := e.vault.read(ctx, name)
		what := map[secretName]string{diditSecret: "Didit's credentials", webhookSecret: "the webhook secret"}[name]
		switch {
		case err != nil:
			found = append(found, wrong("", err))
		case text == "":
			found = append(found, fail(e.connectFix(), "%s: none stored", what))
		default:
			if err := parseSecret(name, text); err != nil {
				found = append(found, fail(e.connectFix(), "%s: %s", what, strings.TrimPrefix(err.Error(), "didit: ")))
			}
		}
	}
	if len(found) == 0 {
		found = append(found, ok("both stored and well-formed"))
	}
	return found
}

// lookAtKey looks whether Didit accepts the key. The checks after it need its client.
func (e *examination) lookAtKey(ctx context.Context) finding {
	key, err := e.storedKey(ctx)
	if err != nil {
		return wrong("", err)
	}
	if key == "" {
		return fail(e.connectFix(), "no usable key is stored")
	}
	client := e.client(key)
	_, err = client.Destinations(ctx)
	if errors.Is(err, management.ErrRefused) {
		if _, other := client.Workflows(ctx); other != nil {
			return fail(e.connectFix(), "refused by Didit: it is wrong, or revoked")
		}
		e.didit = client
		return warn("give the key the right to read webhooks", "accepted, but it may not read webhook destinations")
	}
	if err != nil {
		return wrong("", diditFault("Didit does not answer", err))
	}
	e.didit = client
	return ok("accepted")
}

// lookAtWorkflows looks whether sessions can be created with each workflow.
func (e *examination) lookAtWorkflows(ctx context.Context) []finding {
	if e.didit == nil {
		return nil
	}
	all, err := e.didit.Workflows(ctx)
	switch {
	case errors.Is(err, management.ErrRefused):
		return []finding{unseen(errors.New("the key may not read workflows"))}
	case err != nil:
		return []finding{wrong("", diditFault("Workflows cannot be listed", err))}
	case len(e.workflows) == 0:
		return []finding{ok("any of the application's %d", len(all))}
	}
	var found []finding
	for _, id := range e.workflows {
		switch w := findWorkflow(all, id); {
		case w == nil:
			found = append(found, fail("set WorkflowIds to one of this application's, or "+e.connectFix()+" with the key of the right one",
				"%s: the key's application has no such workflow", id))
		case !w.Usable():
			found = append(found, fail("publish it in Didit's console", "%s (%s): not published", w.Label, id))
		default:
			found = append(found, ok("%s (%s): published", w.Label, id))
		}
	}
	return found
}

// lookAtCredits looks whether sessions can be paid.
func (e *examination) lookAtCredits(ctx context.Context) finding {
	if e.didit == nil {
		return unseen(errors.New("needs a key that Didit accepts"))
	}
	b, err := e.didit.Balance(ctx)
	if errors.Is(err, management.ErrRefused) {
		return unseen(errors.New("the key may not read the balance"))
	}
	if err != nil {
		return wrong("", diditFault("The balance cannot be read", err))
	}
	amount, err := parseAmount(b.Amount)
	const fix = "top up at https://business.didit.me"
	switch {
	case err != nil:
		return unseen(errors.New("the balance is no number"))
	case b.AutoRefill:
		return ok("%s USD, refilled automatically", b.Amount)
	case amount <= 0:
		return fail(fix, "%s USD: no session can be paid, unless it is free", b.Amount)
	case amount < lowBalance:
		return warn(fix, "%s USD are left", b.Amount)
	}
	return ok("%s USD", b.Amount)
}

package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"didit-sessions/internal/aws/table"
	"didit-sessions/internal/verification"
)

var sessionVerb = &verb{
	name: "session", summary: "create a session, show it as a QR code, and follow its status",
	questions: []*question{askScenario, askWorkflow, askVendorData, askWait},
	run:       session,
}

// What session can be given. It asks nothing.
var (
	askScenario = &question{
		flag: "scenario", variable: "SCENARIO", optional: true,
		usage: "with a sandbox key: what is to come of the session, such as approve; then no person is needed",
	}
	askWorkflow = &question{flag: "workflow", variable: "WORKFLOW_ID", optional: true, usage: "the workflow; without it, the deployment's default"}
	// Each run is a user of its own: Didit hands out an unfinished session of the same user again.
	askVendorData = &question{flag: "vendor-data", variable: "VENDOR_DATA", optional: true, usage: "the user; without it, a new one"}
	askWait       = &question{flag: "wait", variable: "WAIT", fallback: "15m", usage: "how long to follow the session", check: checkWait}
)

const maxSessionWait = 24 * time.Hour

func checkWait(_ context.Context, answer string) (string, error) {
	if d, err := time.ParseDuration(answer); err != nil || d <= 0 || d > maxSessionWait {
		return "", fmt.Errorf("must be a duration of up to %s, such as 15m", short(maxSessionWait))
	}
	return answer, nil
}

// session creates a session as a trusted caller of the account and follows it to its end.
func session(ctx context.Context, o *ops) error {
	settings := map[*question]string{}
	for _, q := range o.verb.questions {
		value, err := o.setting(ctx, q)
		if err != nil {
			return err
		}
		settings[q] = value
	}
	if settings[askScenario] == "" && isTrue(o.getenv("CI")) {
		o.missing = append(o.missing, "SCENARIO is missing (-scenario): without a person, only a sandbox scenario finishes a session, such as approve")
	}
	if err := o.complete(); err != nil {
		return err
	}
	d, err := o.open(ctx)
	if err != nil {
		return err
	}
	if err := d.exists(o.env); err != nil {
		return err
	}
	o.say("%s", d.place())
	user := settings[askVendorData]
	if user == "" {
		user = "make-session-" + strings.ToLower(rand.Text()[:8])
	}
	s, err := d.createSession(ctx, o.env, user, settings[askWorkflow], settings[askScenario])
	if err != nil {
		return err
	}
	o.say("Session    %s (vendor_data %s)", s.ID, user)
	if settings[askScenario] == "" {
		if drawn, err := drawQR(s.URL); err == nil && isTerminal(o.screen()) {
			fmt.Fprint(o.screen(), drawn)
		}
		o.say("Open it with a phone or a browser:\n%s", s.URL)
	}
	wait, _ := time.ParseDuration(settings[askWait])
	return o.follow(ctx, d, s, settings[askScenario], wait)
}

// createdSession is what createsession answers, as far as it is needed here. URL is a secret: the
// end user's, whose part the operator plays.
type createdSession struct {
	ID     string `json:"session_id"`
	URL    string `json:"url"`
	Status string `json:"status"`
}

// createSession invokes createsession's alias.
func (d *deployment) createSession(ctx context.Context, env, user, workflow, scenario string) (createdSession, error) {
	var s createdSession
	arn := d.output("CreateSessionFunctionArn")
	if arn == "" {
		return s, errors.New("the stack has no output CreateSessionFunctionArn; run make deploy ENV=" + env)
	}
	request := map[string]string{"vendor_data": user}
	for name, value := range map[string]string{"workflow_id": workflow, "sandbox_scenario": scenario} {
		if value != "" {
			request[name] = value
		}
	}
	payload, _ := json.Marshal(request)
	out, err := lambda.NewFromConfig(d.sdk).Invoke(ctx, &lambda.InvokeInput{FunctionName: &arn, Payload: payload, LogType: types.LogTypeTail})
	if err != nil {
		return s, explain("createsession cannot be invoked", err)
	}
	if out.FunctionError != nil {
		return s, refusedSession(out, env)
	}
	if err := json.Unmarshal(out.Payload, &s); err != nil || s.ID == "" {
		return s, errors.New("createsession answered something that is no session; is CreateSessionFunctionArn another function?")
	}
	return s, nil
}

// refusedSession says why createsession failed, and what fixes it.
func refusedSession(out *lambda.InvokeOutput, env string) error {
	var document struct{ ErrorType, ErrorMessage string }
	_ = json.Unmarshal(out.Payload, &document)
	switch document.ErrorType {
	case "SecretUnavailable", "CredentialsRejected":
		return fmt.Errorf("%s: Didit's key is missing or refused; run make connect ENV=%s", document.ErrorType, env)
	case "":
		return errors.New("createsession failed without a reason; run make doctor ENV=" + env)
	}
	return fmt.Errorf("createsession failed: %s", failure(out))
}

// pollEvery is how often the table and the logs are read.
const pollEvery = time.Second

// poll is the pause between two reads; tests set another one.
func (o *ops) poll() time.Duration { return cmp.Or(o.every, pollEvery) }

// follow prints each status of the session as it reaches the table, with the time of each hop,
// until it is final, for as long as wait says.
func (o *ops) follow(ctx context.Context, d *deployment, s createdSession, scenario string, wait time.Duration) error {
	resources, err := d.resources(ctx)
	if err != nil {
		return err
	}
	name := aws.ToString(resources["SessionsTable"].PhysicalResourceId)
	if taken := d.parameter("ExistingTableName"); taken != "" {
		name = taken
	}
	records := table.New(d.sdk, name)
	begin, status := time.Now(), ""
	for {
		record, found, err := records.Record(ctx, s.ID)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return blind(fmt.Errorf("the table %s cannot be read: %s", name, verification.AsError(err).Reason))
		case found && record.Status != status:
			status = record.Status
			o.say("%s  %-14s%s", time.Now().Format(time.TimeOnly), status, o.hops(ctx, d, resources, record, begin))
		}
		if found && record.Final() || scenario != "" && status == expected(scenario) {
			o.say("%s after %s", status, short(time.Since(begin)))
			return judge(status, scenario, o.env)
		}
		if time.Since(begin) > wait {
			return fmt.Errorf("the session is still %s; if it is finished at Didit, its webhooks do not arrive: run make doctor ENV=%s", status, o.env)
		}
		select {
		case <-time.After(o.poll()):
		case <-ctx.Done():
		}
	}
}

// expected is the status that a sandbox scenario ends with, by the first word of its name (Didit:
// Sandbox scenarios).
func expected(scenario string) string {
	switch word, _, _ := strings.Cut(scenario, "_"); word {
	case "approve":
		return verification.StatusApproved
	case "decline":
		return verification.StatusDeclined
	case "review":
		return verification.StatusInReview
	}
	return ""
}

func judge(status, scenario, env string) error {
	if want := expected(scenario); scenario != "" && want != "" && status != want {
		return fmt.Errorf("the scenario %s ends with %s and not with %s; is Didit's key a sandbox key? Run make doctor ENV=%s", scenario, status, want, env)
	}
	return nil
}

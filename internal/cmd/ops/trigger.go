package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"didit-sessions/internal/didit"
)

// triggerVerb plays Didit. The environment local is what make run started.
var triggerVerb = &verb{
	name:      "trigger",
	summary:   "deliver any status of a session: to make run (-env local), or signed with the stack's secret to a deployed one",
	questions: []*question{triggerStatus, triggerOrder, triggerSession, triggerPort, confirmTrigger},
	local:     true,
	run:       trigger,
}

var (
	triggerStatus = &question{flag: "status", variable: "STATUS", prompt: "Status", usage: "one of Didit's: " + strings.Join(statuses, ", "),
		check: func(_ context.Context, answer string) (string, error) {
			if i := slices.IndexFunc(statuses, func(s string) bool { return strings.EqualFold(s, answer) }); i >= 0 {
				return statuses[i], nil
			}
			return "", errors.New("the status must be one of " + strings.Join(statuses, ", "))
		}}
	triggerOrder = &question{flag: "order", variable: "ORDER", prompt: "Order", fallback: inOrder, usage: "how the delivery arrives: " + strings.Join(orders, ", "),
		check: func(_ context.Context, answer string) (string, error) {
			if !slices.Contains(orders, answer) {
				return "", errors.New("the order must be one of " + strings.Join(orders, ", "))
			}
			return answer, nil
		}}
	triggerSession = &question{flag: "session", variable: "SESSION", prompt: "Session id", optional: true,
		usage: "id of the session; locally the newest one is the default",
		check: func(_ context.Context, answer string) (string, error) {
			if !sessionForm.MatchString(answer) {
				return "", errors.New("the session id must be a UUID")
			}
			return strings.ToLower(answer), nil
		}}
	triggerPort = &question{flag: "port", variable: "PORT", prompt: "Port", fallback: "8080", usage: "port of make run, for -env local",
		check: func(_ context.Context, answer string) (string, error) {
			if port, err := strconv.ParseUint(answer, 10, 16); err != nil || port == 0 {
				return "", errors.New("the port must be a number from 1 to 65535")
			}
			return answer, nil
		}}
	confirmTrigger = &question{flag: "yes", variable: "CONFIRM", prompt: "Its subscribers and workflows will act on it. The name of the stack",
		usage: "the name of the stack, which confirms that its subscribers and workflows may act on the status"}
)

var statuses = []string{"Not Started", "In Progress", "Awaiting User", "Resubmitted", "In Review", "Approved", "Declined", "Kyc Expired", "Expired", "Abandoned"}

// The orders in which deliveries arrive.
const (
	inOrder = "once"
	late    = "late"
	twice   = "twice"
	forged  = "forged"
	lost    = "lost"
)

var orders = []string{inOrder, late, twice, forged, lost}

var sessionForm = regexp.MustCompile(`(?i)^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// lateBy is how old the event of a late delivery is.
const lateBy = time.Hour

func trigger(ctx context.Context, o *ops) error {
	answers := map[*question]string{}
	for _, q := range []*question{triggerStatus, triggerOrder, triggerSession, triggerPort} {
		if q != triggerStatus && !o.known(q) {
			answers[q] = q.fallback // these are not worth a prompt
			continue
		}
		answer, err := o.ask(ctx, q)
		if err != nil {
			return err
		}
		answers[q] = answer
	}
	status, order, session := answers[triggerStatus], answers[triggerOrder], answers[triggerSession]
	if o.env == localEnv {
		if err := o.complete(); err != nil {
			return err
		}
		return o.triggerLocal(ctx, "http://127.0.0.1:"+answers[triggerPort], session, status, order)
	}
	if order == lost {
		return blind(errors.New("a lost delivery to a deployed stack is one that is not sent: there is nothing to do"))
	}
	return o.triggerDeployed(ctx, session, status, order)
}

// triggerDeployed sends a delivery to the stack as Didit would.
func (o *ops) triggerDeployed(ctx context.Context, session, status, order string) error {
	if session == "" {
		o.missing = append(o.missing, "SESSION is missing (-session): the id of a session of the stack")
	}
	d, err := o.open(ctx)
	if err != nil {
		return err
	}
	if err := d.exists(o.env); err != nil {
		return err
	}
	o.say("%s, stack %s", d.place(), d.name)
	if err := o.confirmStack(ctx, d, confirmTrigger); err != nil {
		return err
	}
	secret, err := d.webhookSecret(ctx)
	if err != nil {
		return err
	}
	if order == forged {
		secret = rand.Text()
	}
	body := webhookBody(session, status, time.Now(), order)
	times := 1
	if order == twice {
		times = 2
	}
	for range times {
		if err := o.deliver(ctx, d.output("WebhookUrl"), secret, body, order); err != nil {
			return err
		}
	}
	o.say("The next read at Didit finds the session's real status there, and puts it right.")
	return nil
}

// webhookSecret returns the secret that Didit signs with.
func (d *deployment) webhookSecret(ctx context.Context) (string, error) {
	text, err := d.readSecret(ctx, d.output("WebhookSecretArn"))
	if err != nil {
		return "", err
	}
	var stored struct {
		Secret string `json:"webhook_secret"`
	}
	if json.Unmarshal([]byte(text), &stored) != nil || stored.Secret == "" {
		return "", errors.New("the stack has no webhook secret yet: run make connect, or store {\"webhook_secret\":\"…\"} in the secret of the output WebhookSecretArn")
	}
	return stored.Secret, nil
}

// webhookBody returns a delivery about a session, without a decision.
func webhookBody(session, status string, now time.Time, order string) []byte {
	created := now
	if order == late {
		created = now.Add(-lateBy)
	}
	body, _ := json.Marshal(map[string]any{
		"session_id": session, "status": status, "webhook_type": "status.updated", "event_id": "trigger-" + rand.Text(),
		"created_at": created.Unix(), "timestamp": now.Unix(), "environment": "sandbox",
	})
	return body
}

// deliver sends a delivery and says what came of it. Only a forged one is to be refused.
func (o *ops) deliver(ctx context.Context, url, secret string, body []byte, order string) error {
	signature, v2, err := didit.SignWebhook(body, secret)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return errors.New("the stack's output WebhookUrl is no URL")
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Signature", signature)
	r.Header.Set("X-Signature-V2", v2)
	client := &http.Client{Timeout: o.atMost(30 * time.Second), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(r)
	if err != nil {
		return explainNetwork("The delivery was not answered", err)
	}
	defer func() { _ = response.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	var problem struct {
		Code string `json:"code"`
	}
	_ = json.Unmarshal(text, &problem)
	o.say("POST /webhooks/didit: %s", strings.TrimSpace(fmt.Sprint(response.StatusCode, " ", problem.Code)))
	want := http.StatusOK
	if order == forged {
		want = http.StatusNotFound
	}
	if response.StatusCode != want {
		return fmt.Errorf("the delivery was answered with %d, want %d", response.StatusCode, want)
	}
	return nil
}

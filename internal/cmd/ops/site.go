package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"didit-sessions/internal/cmd/ops/management"
	"didit-sessions/internal/didit"
)

// localEnv is the environment that stands for what make run runs.
const localEnv = "local"

// site is what connect, doctor and replay work on: a deployed stack, or the system of make run.
type site struct {
	place      string      // for the operator
	stack      *deployment // nil for the local system
	webhookURL string      // where deliveries are to arrive
	diditURL   string      // origin of Didit's API; "" means Didit's own
	workflows  []string    // ids; empty if any may be used
	callbacks  []string    // that users may name
	vault      vault
}

// vault keeps the two secrets of a deployment.
type vault interface {
	// read returns the text of a secret; "" if none is stored.
	read(ctx context.Context, name secretName) (string, error)
	store(ctx context.Context, name secretName, text string) error
}

type secretName string

const (
	diditSecret   secretName = "didit"
	webhookSecret secretName = "webhook"
)

// openSite finds what the operator's ENV stands for.
func (o *ops) openSite(ctx context.Context) (*site, error) {
	if o.env == localEnv {
		return o.openLocal(ctx)
	}
	d, err := o.open(ctx)
	if err != nil {
		return nil, err
	}
	if err := d.exists(o.env); err != nil {
		return nil, err
	}
	s := &site{
		place: d.place() + ", stack " + d.name, stack: d, webhookURL: d.output("WebhookUrl"), diditURL: d.parameter("DiditApiUrl"),
		callbacks: split(d.parameter("AllowedCallbacks")), vault: stackVault{d},
	}
	if s.webhookURL == "" {
		return nil, fmt.Errorf("the stack %s is %s and has no output WebhookUrl; run make deploy ENV=%s first", d.name, d.stack.StackStatus, o.env)
	}
	if ids := d.parameter("WorkflowIds"); ids != "*" {
		s.workflows = split(ids)
	}
	return s, nil
}

func split(list string) []string {
	var items []string
	for item := range strings.SplitSeq(list, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// stackVault keeps the secrets in Secrets Manager.
type stackVault struct{ *deployment }

func (v stackVault) id(name secretName) (string, error) {
	output := map[secretName]string{diditSecret: "SecretArn", webhookSecret: "WebhookSecretArn"}[name]
	id := v.output(output)
	if id == "" {
		return "", fmt.Errorf("the stack %s has no output %s; deploy it again", v.name, output)
	}
	return id, nil
}

func (v stackVault) read(ctx context.Context, name secretName) (string, error) {
	id, err := v.id(name)
	if err != nil {
		return "", err
	}
	return v.readSecret(ctx, id)
}

func (v stackVault) store(ctx context.Context, name secretName, text string) error {
	id, err := v.id(name)
	if err != nil {
		return err
	}
	return v.storeSecret(ctx, id, text)
}

// client returns a client of Didit's management API.
func (s *site) client(key management.Key) *management.Client {
	return &management.Client{URL: s.diditURL, Key: key}
}

// storedKey returns the key that is stored; "" if none is, or none that can be read. Of client
// credentials, the secret is a key.
func (s *site) storedKey(ctx context.Context) (management.Key, error) {
	text, err := s.vault.read(ctx, diditSecret)
	if err != nil || text == "" {
		return "", err
	}
	c, err := didit.ParseCredentials(text)
	if err != nil {
		return "", nil // what is stored is replaced
	}
	return management.Key(cmp.Or(c.APIKey, c.ClientSecret)), nil
}

// needKey returns a client with the stored key, for verbs that store none.
func (o *ops) needKey(ctx context.Context, s *site) (*management.Client, error) {
	key, err := s.storedKey(ctx)
	if err != nil {
		return nil, err
	}
	if key == "" {
		return nil, fmt.Errorf("no usable key of Didit's is stored; run make connect ENV=%s first", o.env)
	}
	return s.client(key), nil
}

// diditFault turns an error of Didit's management API into one sentence that says what to do.
func diditFault(what string, err error) error {
	var status *management.StatusError
	switch {
	case errors.Is(err, management.ErrRefused):
		return fmt.Errorf("%s: %w", what, err)
	case errors.As(err, &status) && status.Status == http.StatusTooManyRequests:
		return blind(fmt.Errorf("%s: Didit is throttling; try again in a minute", what))
	case errors.As(err, &status) && status.Status >= 500:
		return blind(fmt.Errorf("%s: %w; try again later", what, err))
	case status != nil:
		return fmt.Errorf("%s: %w", what, err)
	}
	if err := explainNetwork(what, err); err != nil {
		return err
	}
	return blind(fmt.Errorf("%s: %s", what, firstLine(err.Error())))
}

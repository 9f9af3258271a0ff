package main

import (
	"errors"
	"slices"
	"strings"

	"didit-sessions/internal/config"
)

// defaults are the functions' variables that the environment does not set. RECONCILE_AFTER is the
// shortest allowed: a developer who loses a webhook does not wait for 15 minutes.
var defaults = map[string]string{
	config.DiditSecretID:    "local",
	config.WebhookSecretID:  "local",
	config.TableName:        "local",
	config.EventBusName:     "local",
	config.WorkflowIDs:      "11111111-2222-3333-4444-555555555555",
	config.AllowedCallbacks: "https://app.example.com/verified,myapp://",
	config.ReconcileAfter:   "1m",
}

// settings are the configurations of the functions, of the gateway and of Didit.
type settings struct {
	edge      edge
	account   account
	create    config.CreateSession
	get       config.GetSession
	webhook   config.Webhook
	await     config.AwaitDecision
	reconcile config.Reconcile
	erase     config.EraseUser
	callbacks []string // of the variable ALLOWED_CALLBACKS
}

// load reads the configurations. Its error names every wrong variable, once.
func load(getenv func(string) string) (settings, error) {
	withDefaults := func(name string) string {
		if value := getenv(name); value != "" {
			return value
		}
		return defaults[name]
	}
	var s settings
	var problems [8]error
	s.create, problems[0] = config.LoadCreateSession(withDefaults)
	s.get, problems[1] = config.LoadGetSession(withDefaults)
	s.webhook, problems[2] = config.LoadWebhook(withDefaults)
	s.await, problems[3] = config.LoadAwaitDecision(withDefaults)
	s.reconcile, problems[4] = config.LoadReconcile(withDefaults)
	s.erase, problems[7] = config.LoadEraseUser(withDefaults)
	s.edge, problems[5] = loadEdge(getenv)
	s.account, problems[6] = loadAccount(getenv)
	// A developer's page is on this machine, and has no certificate.
	s.create.Policy.LocalCallbacks = true
	for callback := range strings.SplitSeq(withDefaults(config.AllowedCallbacks), ",") {
		s.callbacks = append(s.callbacks, strings.TrimSpace(callback))
	}
	err := errors.Join(problems[:]...)
	if err == nil {
		return s, nil
	}
	// The functions share variables.
	lines := slices.Compact(slices.Sorted(strings.SplitSeq(err.Error(), "\n")))
	return s, errors.New("wrong configuration:\n" + strings.Join(lines, "\n"))
}

package main

import (
	"fmt"
	"io"

	"didit-sessions/internal/config"
	"didit-sessions/internal/version"
)

// printWhere prints where everything runs, and how to begin.
func (s *system) printWhere(out io.Writer) {
	user, body, query := "'Authorization: Bearer alice'", "", ""
	hint := "The word after Bearer is the signed-in user."
	switch {
	case s.iam:
		user, query = "'Authorization: AWS4-HMAC-SHA256 unverified'", "?vendor_data=alice"
		body = `"vendor_data":"alice"`
		hint = "The caller is a server, and vendor_data names the user."
	case s.settings.edge.issuer != "":
		user = `"Authorization: Bearer $TOKEN"`
		hint = "TOKEN must be a JWT of " + s.settings.edge.issuer + "; its signature is not verified."
	}
	if s.settings.create.Policy.AnyWorkflow {
		if body != "" {
			body += ","
		}
		body += `"workflow_id":"` + defaults[config.WorkflowIDs] + `"`
	}
	fmt.Fprintf(out, "didit-sessions %s\n\npage and API      %s\n", version.Version, s.url)
	if s.account.isReal() {
		fmt.Fprintf(out, "Didit             %s, with the credentials of the environment: sessions are real\n\n", s.account.url)
		fmt.Fprintf(out, "Didit's webhooks reach this machine through a tunnel only, to %s/webhooks/didit with %s set.\n"+
			"Without one, statuses are read at Didit, %v after their last change.\n\n", s.url, diditWebhookSecret,
			s.settings.reconcile.Table.ReconcileAfter)
	} else {
		fmt.Fprintf(out, "Didit simulator   %s\n\n", s.simulatorURL)
	}
	if s.account.unused {
		fmt.Fprintf(out, "The environment has credentials of Didit. They are not used, because %s is not set.\n\n", config.DiditAPIURL)
	}
	fmt.Fprintf(out, "Open the page, or paste:\n\n")
	fmt.Fprintf(out, "  curl -s %s/sessions -H 'Content-Type: application/json' -H %s -d '{%s}'\n", s.url, user, body)
	fmt.Fprintf(out, "  curl -s '%s/sessions%s' -H %s\n\n", s.url, query, user)
	fmt.Fprintf(out, "%s Ctrl-C stops everything. Requests and events follow.\n\n", hint)
}

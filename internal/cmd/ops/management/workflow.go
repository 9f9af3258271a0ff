package management

import (
	"cmp"
	"context"
	"strings"
)

// Workflow is a workflow of the application.
type Workflow struct {
	ID       string `json:"workflow_id"` // the same for all versions
	Version  string `json:"uuid"`
	Label    string `json:"workflow_label"`
	Type     string `json:"workflow_type"`
	Default  bool   `json:"is_default"`
	Archived bool   `json:"is_archived"`
	Status   string `json:"status"`
}

// Usable reports whether sessions can be created with the workflow: it is published and not
// archived. A status that Didit does not send counts as published.
func (w Workflow) Usable() bool {
	return !w.Archived && (w.Status == "" || strings.EqualFold(w.Status, "published"))
}

// Workflows returns all workflows of the application, in Didit's order.
func (c *Client) Workflows(ctx context.Context) ([]Workflow, error) {
	all, err := get[list[Workflow]](ctx, c, "/v3/workflows/")
	for i, w := range all {
		all[i].ID = cmp.Or(w.ID, w.Version) // where Didit names one id only
	}
	return all, err
}

// Balance is what the application has to spend.
type Balance struct {
	// Amount is a decimal number of USD, as Didit writes it.
	Amount     string `json:"balance"`
	AutoRefill bool   `json:"auto_refill_enabled"`
}

// Balance returns the application's credit.
func (c *Client) Balance(ctx context.Context) (Balance, error) {
	return get[Balance](ctx, c, "/v3/billing/balance/")
}

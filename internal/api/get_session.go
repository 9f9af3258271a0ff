package api

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"didit-sessions/internal/verification"
)

// Records reads the status of sessions; [*verification.Tracker] implements it.
type Records interface {
	Status(ctx context.Context, caller verification.Caller, sessionID string) (verification.Record, error)
	List(ctx context.Context, caller verification.Caller, vendorData string) ([]verification.Record, error)
}

// GetSession serves GET /sessions/{session_id} and GET /sessions. Set its fields before first use;
// it is safe for concurrent use and must not be copied.
type GetSession struct {
	Records Records // required
	Callers Callers // required
	// Log gets one line per call; nil means [slog.Default].
	Log *slog.Logger

	calls callLog
}

// How long an app should wait before it asks again: while it is the end user's turn, and a
// reviewer's.
const (
	pollSoon  = 5 * time.Second
	pollLater = time.Minute
)

// ServeHTTP answers the two routes, and everything else with 404, as API Gateway does.
func (g *GetSession) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	gateway := g.Callers.RequestContext(r)
	id, one := strings.CutPrefix(r.URL.Path, "/sessions/")
	operation := "list_sessions"
	if one {
		operation = "get_session"
	}
	ctx, current := g.calls.begin(r.Context(), operation, "", gateway.RequestID)
	body, result, err := g.serve(r.WithContext(ctx), gateway, id, one)
	current.end(ctx, g.Log, result, err)
	if err != nil {
		writeProblem(w, gateway.RequestID, verification.AsError(err))
		return
	}
	if status, ok := body.(statusDocument); ok {
		switch status.Next {
		case verification.NextVerify:
			w.Header().Set("Retry-After", seconds(pollSoon))
		case verification.NextWait:
			w.Header().Set("Retry-After", seconds(pollLater))
		}
	}
	writeJSON(w, http.StatusOK, "application/json", body)
}

func (g *GetSession) serve(r *http.Request, gateway RequestContext, id string, one bool) (any, outcome, error) {
	if r.Method != http.MethodGet || !one && r.URL.Path != "/sessions" {
		return nil, outcome{}, noRoute()
	}
	caller, err := g.Callers.caller(gateway)
	if err != nil {
		return nil, outcome{}, err
	}
	if !one {
		vendorData, err := vendorDataWanted(r.URL.RawQuery, caller)
		if err != nil {
			return nil, outcome{}, err
		}
		records, err := g.Records.List(r.Context(), caller, vendorData)
		return listDocument(records), outcome{"listed", []slog.Attr{slog.Int("sessions", len(records))}}, err
	}
	record, err := g.Records.Status(r.Context(), caller, id)
	if err != nil {
		return nil, outcome{}, err
	}
	return statusJSON(record), outcome{"told", []slog.Attr{
		slog.String("session_id", record.SessionID), slog.String("status", record.Status)}}, nil
}

// vendorDataWanted returns the value of the query parameter vendor_data, and an error if the query
// cannot be parsed. Of a signed-in user, who need not send any, a query that does not name the
// parameter is not looked at.
func vendorDataWanted(rawQuery string, caller verification.Caller) (string, error) {
	query, err := url.ParseQuery(rawQuery)
	if err != nil && (caller.Trusted || strings.Contains(rawQuery, "vendor_data")) {
		return "", &verification.Error{Code: verification.CodeInvalidRequest,
			Fields: []verification.FieldError{{Field: "vendor_data", Message: unreadableQuery}}}
	}
	return query.Get("vendor_data"), nil
}

// statusDocument is the JSON of a session's status, for its owner.
type statusDocument struct {
	SessionID  string               `json:"session_id"`
	WorkflowID *string              `json:"workflow_id"`
	VendorData *string              `json:"vendor_data"`
	Status     string               `json:"status"`
	Final      bool                 `json:"final"`
	Next       verification.Next    `json:"next"`
	CreatedAt  string               `json:"created_at"`
	UpdatedAt  string               `json:"updated_at"`
	Checks     []verification.Check `json:"checks"`
}

func statusJSON(r verification.Record) statusDocument {
	d := statusDocument{
		SessionID: r.SessionID, Status: r.Status, Final: r.Final(), Next: r.Next(),
		CreatedAt: timeText(r.CreatedAt), UpdatedAt: timeText(r.StatusAt), Checks: r.Checks,
	}
	if r.WorkflowID != "" {
		d.WorkflowID = &r.WorkflowID
	}
	if r.VendorData != "" {
		d.VendorData = &r.VendorData
	}
	if d.Checks == nil {
		d.Checks = []verification.Check{}
	}
	return d
}

func listDocument(records []verification.Record) any {
	sessions := make([]statusDocument, len(records))
	for i, r := range records {
		sessions[i] = statusJSON(r)
	}
	return struct {
		Sessions []statusDocument `json:"sessions"`
	}{sessions}
}

func timeText(t time.Time) string { return t.UTC().Format(time.RFC3339) }

package main

import (
	"strings"
	"testing"

	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/stage/stagetest"
)

// Ensure that the query that API Gateway passes on adds a code of the URL, and that a wrong one is
// refused before Didit is asked.
func TestQR(t *testing.T) {
	t.Parallel()
	w := recording(t, nil)
	with := func(query string) (status int, body string) {
		a := w.HTTP(t, stagetest.Edit(t, event(t, "http-minimal"), func(members map[string]any) { members["rawQueryString"] = query }))
		return a.Status, string(a.Body)
	}
	if status, body := with("qr=gif"); status != 400 || !strings.Contains(body, `{"field":"qr","message":"must be svg or png, once, in the query."}`) || w.Didit.Count(didittest.OpCreate) != 0 {
		t.Errorf("gif: got %d %s after %d creates, want 400 after none", status, body, w.Didit.Count(didittest.OpCreate))
	}
	for query, want := range map[string]string{"qr=svg": `"qr":"data:image/svg+xml;base64,`, "qr=png": `"qr":"data:image/png;base64,`} {
		if status, body := with(query); status > 201 || !strings.Contains(body, want) {
			t.Errorf("%s: got %d %s, want %s", query, status, body, want)
		}
	}
	if logs := string(w.Logs()); strings.Contains(logs, "data:image") {
		t.Errorf("the code is logged: %s", logs)
	}
}

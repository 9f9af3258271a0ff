package repotest

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"didit-sessions/internal/api"
	"didit-sessions/internal/verification"
)

// failing is a domain whose operations fail with its code.
type failing verification.Code

func (f failing) Create(context.Context, verification.CreateRequest) (verification.Created, error) {
	return verification.Created{}, &verification.Error{Code: verification.Code(f)}
}

// Ensure that the reference's error table has what callers get, and every code.
func TestErrors(t *testing.T) {
	t.Parallel()
	rows := regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (\\d{3}|–) \\| (?:`(\\w+)`|–)").
		FindAllStringSubmatch(section(t, read(t, reference), "## Errors", "\n### "), -1)
	documented := map[string]bool{}
	for _, row := range rows {
		code, status, name := row[1], row[2], row[3]
		documented[code] = true
		switch code {
		case "unauthenticated", "not_found", "payload_too_large", "unsupported_media_type":
			continue // from the api package itself, whose tests check their statuses
		}
		c := &api.CreateSession{Sessions: failing(code), Log: slog.New(slog.DiscardHandler), Callers: api.Callers{RequestContext: func(*http.Request) api.RequestContext {
			return api.RequestContext{Claims: map[string]json.RawMessage{"sub": json.RawMessage(`"u"`)}}
		}}}
		w := httptest.NewRecorder()
		c.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/sessions", strings.NewReader(`{}`)))
		if got := fmt.Sprint(w.Code); status != "–" && (got != status || !strings.Contains(w.Body.String(), `"code":"`+code+`"`)) {
			t.Errorf("%s: documented as %s, callers get %s %s", code, status, got, w.Body)
		}
		_, err := c.Invoke(t.Context(), []byte(`{}`))
		if typed, ok := err.(interface{ ErrorType() string }); name != "" && (!ok || typed.ErrorType() != name) {
			t.Errorf("%s: documented as %s on the direct door, workflows get %v", code, name, err)
		}
	}
	for _, code := range constants(t, "internal/verification/error.go", func(name string) bool { return strings.HasPrefix(name, "Code") }) {
		if !documented[code] && code != string(verification.CodeSecretUnavailable) {
			t.Errorf("the error table of %s does not have %s", reference, code)
		}
	}
}

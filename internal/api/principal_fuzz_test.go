package api

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"didit-sessions/internal/verification"
)

// No claim becomes another user's principal: what is accepted is the claim's own text, and none
// that readers of JSON or API Gateway make of other claims.
func FuzzPrincipal(f *testing.F) {
	for _, seed := range []string{
		`"user-123"`, `" user"`, `"user\n"`, `"a\ud800"`, `"a\ufffd"`, "\"a\xff\"", `"[a b]"`, `"{}"`, `"map[a:b]"`, `" map[]"`, `"<nil>"`, `7`, `null`, `["a"]`, `{"a":1}`,
		`"\ud83d\ude00"`, `"\u2028x"`, `"x\u00a0"`, `""`, `"a" "b"`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, claim string) {
		callers := Callers{RequestContext: func(*http.Request) RequestContext { return RequestContext{} }}
		caller, err := callers.caller(claims(claim))
		p := caller.Principal
		if err != nil {
			if e := verification.AsError(err); e.Code != codeUnauthenticated || p != "" || caller.Trusted {
				t.Errorf("%q: got %v, principal %q", claim, err, p)
			}
			return
		}
		again, err := json.Marshal(p)
		var text string
		if err != nil || json.Unmarshal(again, &text) != nil || text != p || caller.Trusted {
			t.Errorf("%q: got principal %q, which reads as %q", claim, p, text)
		}
		if !utf8.ValidString(p) || strings.ContainsFunc(p, unicode.IsControl) || strings.ContainsRune(p, unicode.ReplacementChar) || p != strings.TrimSpace(p) || p == "" ||
			len(p) > verification.MaxVendorData || strings.ContainsAny(p[:1], "[{") || strings.HasPrefix(p, "map[") {
			t.Errorf("%q: got principal %q, want a refusal", claim, p)
		}
	})
}

package main

import (
	"encoding/base64"
	"strings"
	"testing"
)

// Ensure claims arrive as API Gateway passes them on.
func TestClaims(t *testing.T) {
	t.Parallel()
	token := func(payload string) string {
		return "e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2ln"
	}
	for claim, want := range map[string]string{
		`"user-123"`:           "user-123",
		`" user\n"`:            " user\n",
		`"a\ud800"`:            "a\ufffd",
		`1732579200`:           "1732579200",
		`12345678901234567890`: "12345678901234567890",
		`1.50`:                 "1.50",
		`true`:                 "true",
		`null`:                 "<nil>",
		`[]`:                   "[]",
		`["a","b c",7]`:        "[a b c 7]",
		`[["a"],{"k":"v"}]`:    "[[a] map[k:v]]",
		`{}`:                   "map[]",
		`{"roles":["a","b"],"n":1,"deep":{"x":null}}`: "map[deep:map[x:<nil>] n:1 roles:[a b]]",
	} {
		if got := claims(token(`{"sub":` + claim + `,"iss":"x"}`)); got["sub"] != want || got["iss"] != "x" {
			t.Errorf("%s: got %q, want %q", claim, got["sub"], want)
		}
	}
	for _, name := range []string{"alice", "a.b", "a.b.c", "e30.not-base64!.c2ln", token(`[1]`), token(`{`), strings.TrimSuffix(token(`{"sub":"x"}`), ".c2ln"), token(`{"sub":"x"}`) + ".x"} {
		if got := claims(name); len(got) != 1 || got["sub"] != name {
			t.Errorf("%s: got %q, want the name itself", name, got)
		}
	}
}

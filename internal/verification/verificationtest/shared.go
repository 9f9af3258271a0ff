package verificationtest

import (
	"context"
	"strings"
	"testing"
	"time"
)

// SharedTokens keeps the sealed access tokens that functions share. Every store of this module is
// one, for the client of Didit.
type SharedTokens interface {
	SharedToken(ctx context.Context, name string) (sealed string, err error)
	ShareToken(ctx context.Context, name, sealed, instead string, asked, expires time.Time) error
}

// sharedTokens ensures that of two tokens the one that was requested later is kept, unless the
// other is meant to replace it, and that none goes away by itself.
func sharedTokens(t *testing.T, s Store) {
	tokens, ok := s.Store.(SharedTokens)
	if !ok {
		t.Fatalf("%T does not keep access tokens", s.Store)
	}
	at := recent()
	for _, step := range []struct {
		name, sealed, instead string
		asked                 time.Duration // before or after the first
		want                  string
	}{
		{"TOKEN#a", "first", "", 0, "first"},
		{"TOKEN#a", "at the same time", "", 0, "first"},
		{"TOKEN#a", "older", "", -time.Millisecond, "first"},
		{"TOKEN#a", "older, instead of another", "not stored", -time.Hour, "first"},
		{"TOKEN#b", "of another name", "first", 0, "of another name"},
		{"TOKEN#a", "newer", "", time.Millisecond, "newer"},
		{"TOKEN#a", "newer again", "not stored", time.Hour, "newer again"},
		{"TOKEN#a", "older, instead", "newer again", -time.Hour, "older, instead"},
		{"TOKEN#a", strings.Repeat("x", 16<<10), "", 0, strings.Repeat("x", 16<<10)},
	} {
		asked := at.Add(step.asked)
		if err := tokens.ShareToken(t.Context(), step.name, step.sealed, step.instead, asked, asked.Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		if got, err := tokens.SharedToken(t.Context(), step.name); got != step.want || err != nil {
			t.Errorf("after %.30q: got %.30q, error %v, want %.30q", step.sealed, got, err, step.want)
		}
	}
	if got, err := tokens.SharedToken(t.Context(), "TOKEN#c"); got != "" || err != nil {
		t.Errorf("of an unknown name: got %q, error %v", got, err)
	}
}

package didit

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestParseWebhookSecret(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, text, want string
		wantErr          error
	}{
		{"plain", `{"webhook_secret":"made-up-1"}`, "made-up-1", nil},
		{"white space", " {\"webhook_secret\":\" made-up-1\\n\"}\n", "made-up-1", nil},
		{"byte order mark", "\ufeff{\"webhook_secret\":\"made-up-1\"}", "made-up-1", nil},
		{"other members", `{"webhook_secret":"made-up-1","destination":{"id":1}}`, "made-up-1", nil},
		{"longest", `{"webhook_secret":"` + strings.Repeat("p", 1024) + `"}`, strings.Repeat("p", 1024), nil},
		{"empty", "", "", ErrSecretEmpty},
		{"blank", " \n", "", ErrSecretEmpty},
		{"bare text", "planted", "", ErrSecretNotJSON},
		{"a list", `["planted"]`, "", ErrSecretNotJSON},
		{"a number", `{"webhook_secret":5}`, "", ErrSecretNotJSON},
		{"two documents", `{"webhook_secret":"planted"}{}`, "", ErrSecretNotJSON},
		{"half of it", `{"webhook_secret":"planted"`, "", ErrSecretNotJSON},
		{"an empty object", `{}`, "", ErrWebhookSecretMissing},
		{"an empty value", `{"webhook_secret":" "}`, "", ErrWebhookSecretMissing},
		{"the API's secret", `{"api_key":"planted"}`, "", ErrWebhookSecretMissing},
		{"too long", `{"webhook_secret":"` + strings.Repeat("planted", 147) + `"}`, "", ErrWebhookSecretTooLong},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseWebhookSecret(tt.text)
			if got != tt.want || !errors.Is(err, tt.wantErr) || (err == nil) != (tt.wantErr == nil) {
				t.Errorf("%q: got %q, %v, want %q, %v", tt.text, got, err, tt.want, tt.wantErr)
			}
			if err != nil && strings.Contains(err.Error(), "plant") {
				t.Errorf("%q: error %q quotes the secret", tt.text, err)
			}
		})
	}
}

// webhookSecrets is a cache over the given current secrets, the last of which lasts; ! is an
// error, and the empty text is a reader that broke its promise.
type webhookSecrets struct {
	WebhookSecretCache
	clock
	reads atomic.Int32
}

func newWebhookSecrets(texts ...string) *webhookSecrets {
	s := new(webhookSecrets)
	s.WebhookSecretCache.Now = s.clock.Now
	s.Read = func(context.Context) (WebhookSecrets, error) {
		text := texts[min(int(s.reads.Add(1)), len(texts))-1]
		if text == "!" {
			return WebhookSecrets{}, errStore
		}
		return WebhookSecrets{Current: text}, nil
	}
	return s
}

// Kept for 10 minutes, and for longer where a read fails, which is tried again after 10 s.
func TestWebhookSecretCache_Secrets(t *testing.T) {
	t.Parallel()
	s := newWebhookSecrets("!", "", "a", "!", "!", "b", "c")
	for i, tt := range []struct {
		at        time.Duration
		want      string
		wantErr   error
		wantReads int32
	}{
		{0, "", errStore, 1},
		{0, "", ErrWebhookSecretMissing, 2},
		{0, "a", nil, 3},
		{10*time.Minute - 1, "a", nil, 3},
		{10 * time.Minute, "a", nil, 4},
		{10*time.Minute + 10*time.Second - 1, "a", nil, 4},
		{10*time.Minute + 10*time.Second, "a", nil, 5},
		{11 * time.Minute, "b", nil, 6},
		{21*time.Minute - 1, "b", nil, 6},
		{21 * time.Minute, "c", nil, 7},
	} {
		s.offset.Store(int64(tt.at))
		got, err := s.Secrets(t.Context())
		if got.Current != tt.want || !errors.Is(err, tt.wantErr) || (err == nil) != (tt.wantErr == nil) || s.reads.Load() != tt.wantReads {
			t.Errorf("call %d at %v: got %q, %v after %d reads, want %q, %v after %d", i, tt.at, got.Current, err, s.reads.Load(), tt.want, tt.wantErr, tt.wantReads)
		}
	}
}

// After a mismatch the secrets are read at most once in 10 s; callers get its failure.
func TestWebhookSecretCache_Renew(t *testing.T) {
	t.Parallel()
	s := newWebhookSecrets("a", "a", "!", "b", "b")
	if _, err := s.Secrets(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, tt := range []struct {
		at          time.Duration
		unfit, want string
		wantChanged bool
		wantErr     error
		wantReads   int32
	}{
		{0, "a", "a", false, nil, 2},
		{10*time.Second - 1, "a", "a", false, nil, 2},
		{10 * time.Second, "a", "", false, errStore, 3},
		{20*time.Second - 1, "a", "a", false, errStore, 3}, // whether it fits is still unknown
		{20 * time.Second, "a", "b", true, nil, 4},
		{20 * time.Second, "a", "b", true, nil, 4}, // who still holds the old ones gets the new ones
		{20 * time.Second, "b", "b", false, nil, 4},
		{30 * time.Second, "a", "b", true, nil, 4},
		{30 * time.Second, "b", "b", false, nil, 5},
	} {
		s.offset.Store(int64(tt.at))
		got, changed, err := s.Renew(t.Context(), WebhookSecrets{Current: tt.unfit})
		if got.Current != tt.want || changed != tt.wantChanged || !errors.Is(err, tt.wantErr) || (err == nil) != (tt.wantErr == nil) || s.reads.Load() != tt.wantReads {
			t.Errorf("call %d at %v: got %q, %t, %v after %d reads, want %q, %t, %v after %d", i, tt.at,
				got.Current, changed, err, s.reads.Load(), tt.want, tt.wantChanged, tt.wantErr, tt.wantReads)
		}
	}
}

// Callers share one read, and one that gives up does not fail the others.
func TestWebhookSecretCache_shared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var reads atomic.Int32
		c := &WebhookSecretCache{Read: func(context.Context) (WebhookSecrets, error) {
			reads.Add(1)
			time.Sleep(time.Second)
			return WebhookSecrets{Current: "a"}, nil
		}}
		leaver, leave := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := c.Secrets(leaver); !errors.Is(err, context.Canceled) {
				t.Errorf("who left: got %v, want %v", err, context.Canceled)
			}
		})
		synctest.Wait()
		for range 100 {
			all.Go(func() {
				if got, err := c.Secrets(t.Context()); got.Current != "a" || err != nil {
					t.Errorf("got %q, %v, want a", got.Current, err)
				}
				if _, changed, err := c.Renew(t.Context(), WebhookSecrets{Current: "a"}); changed || err != nil {
					t.Errorf("renewed: got %t, %v, want neither", changed, err)
				}
			})
		}
		synctest.Wait()
		leave()
		all.Wait()
		if n := reads.Load(); n != 2 {
			t.Errorf("got %d reads, want one and one that was forced", n)
		}
	})
}

// A store that hangs costs a second while there are secrets that serve.
func TestWebhookSecretCache_storeHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var hangs atomic.Bool
		c := &WebhookSecretCache{Read: func(ctx context.Context) (WebhookSecrets, error) {
			if hangs.Load() {
				<-ctx.Done()
				return WebhookSecrets{}, ctx.Err()
			}
			return WebhookSecrets{Current: "a"}, nil
		}}
		if _, err := c.Secrets(t.Context()); err != nil {
			t.Fatal(err)
		}
		hangs.Store(true)
		time.Sleep(webhookSecretAge)
		ctx, cancel := context.WithTimeout(t.Context(), 4500*time.Millisecond)
		defer cancel()
		start := time.Now()
		got, err := c.Secrets(ctx)
		if took := time.Since(start); got.Current != "a" || err != nil || took != time.Second {
			t.Errorf("got %q, %v after %v, want a after a second", got.Current, err, took)
		}
	})
}

// A rotation under way: the signature that fits nothing makes the secrets be read again, whatever
// its form, and only then is a mismatch.
func TestVerifier_Verify_rotation(t *testing.T) {
	t.Parallel()
	v := find(t, "v3_in_progress")
	verify := func(s *webhookSecrets, header http.Header) error {
		_, err := (&Verifier{Secrets: &s.WebhookSecretCache, Now: v.verifier().Now}).Verify(t.Context(), header, v.body())
		return err
	}
	kind := func(err error) WebhookErrorKind {
		e, _ := errors.AsType[*WebhookError](err)
		if e == nil {
			return ""
		}
		return e.Kind
	}
	s := newWebhookSecrets("old", v.Secrets.Current)
	if err := verify(s, v.header()); err != nil || s.reads.Load() != 2 {
		t.Errorf("rotated: got %v after %d reads, want none after 2", err, s.reads.Load())
	}
	s = newWebhookSecrets("old", "old", "!", v.Secrets.Current)
	for i, want := range []struct {
		after time.Duration
		kind  WebhookErrorKind
		err   error
		reads int32
	}{
		{0, WebhookMismatch, nil, 2},
		{5 * time.Second, WebhookMismatch, nil, 2},
		{5 * time.Second, "", errStore, 3},
		{10 * time.Second, "", nil, 4},
	} {
		s.advance(want.after)
		err := verify(s, v.header())
		if kind(err) != want.kind || !errors.Is(err, want.err) && want.err != nil || (err == nil) != (want.kind == "" && want.err == nil) || s.reads.Load() != want.reads {
			t.Errorf("call %d: got %v after %d reads, want %v, %v after %d", i, err, s.reads.Load(), want.kind, want.err, want.reads)
		}
	}
	s = newWebhookSecrets("!")
	if err := verify(s, v.header()); !errors.Is(err, errStore) {
		t.Errorf("store out of reach: got %v, want %v", err, errStore)
	}
	if err := verify(s, http.Header{"X-Signature": {"none"}}); kind(err) != WebhookNotSigned || s.reads.Load() != 1 {
		t.Errorf("not signed: got %v after %d reads, want no read for that", err, s.reads.Load())
	}
}

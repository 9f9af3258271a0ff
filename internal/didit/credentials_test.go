package didit

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestParseCredentials(t *testing.T) {
	t.Parallel()
	pair, key := Credentials{ClientID: "id-1", ClientSecret: "secret-1"}, Credentials{APIKey: "key-1"}
	tests := []struct {
		name, secret string
		want         Credentials
		wantErr      error
	}{
		{"pair", pairSecret, pair, nil},
		{"api key", keySecret, key, nil},
		{"both", `{"client_id":"id-1","client_secret":"secret-1","api_key":"key-1"}`, Credentials{ClientID: "id-1", ClientSecret: "secret-1", APIKey: "key-1"}, nil},
		{"other members", `{"client_id":"id-1","client_secret":"secret-1","note":{"a":[1]}}`, pair, nil},
		{"white space", " {\n\"client_id\":\" id-1\\n\",\"client_secret\":\"\\tsecret-1 \"}\n", pair, nil},
		{"byte order mark", "\ufeff" + keySecret, key, nil},
		{"empty key beside a pair", `{"api_key":" ","client_id":"id-1","client_secret":"secret-1"}`, pair, nil},
		{"null key beside a pair", `{"api_key":null,"client_id":"id-1","client_secret":"secret-1"}`, pair, nil},
		{"a secret of any characters", `{"client_id":"id-1","client_secret":"é : 😀"}`, Credentials{ClientID: "id-1", ClientSecret: "é : 😀"}, nil},
		{"empty", "", Credentials{}, ErrSecretEmpty},
		{"blank", " \n\t", Credentials{}, ErrSecretEmpty},
		{"bare text", "planted", Credentials{}, ErrSecretNotJSON},
		{"a JSON text", `"planted"`, Credentials{}, ErrSecretNotJSON},
		{"a list", `["planted"]`, Credentials{}, ErrSecretNotJSON},
		{"a number for a key", `{"api_key":5}`, Credentials{}, ErrSecretNotJSON},
		{"an object for a secret", `{"client_id":"id-1","client_secret":{"planted":1}}`, Credentials{}, ErrSecretNotJSON},
		{"half of it", `{"api_key":"planted"`, Credentials{}, ErrSecretNotJSON},
		{"two documents", keySecret + keySecret, Credentials{}, ErrSecretNotJSON},
		{"empty object", `{}`, Credentials{}, ErrSecretIncomplete},
		{"null", `null`, Credentials{}, ErrSecretIncomplete},
		{"no client_secret", `{"client_id":"planted"}`, Credentials{}, ErrSecretIncomplete},
		{"no client_id", `{"client_secret":"planted"}`, Credentials{}, ErrSecretIncomplete},
		{"blank client_secret", `{"client_id":"planted","client_secret":"  "}`, Credentials{}, ErrSecretIncomplete},
		{"the webhook's secret", `{"webhook_secret":"planted"}`, Credentials{}, ErrSecretIncomplete},
		{"a key in two lines", `{"api_key":"plan\r\nted"}`, Credentials{}, ErrSecretMalformed},
		{"a key with a space", `{"api_key":"plan ted"}`, Credentials{}, ErrSecretMalformed},
		{"a key beyond ASCII", `{"api_key":"plantedé"}`, Credentials{}, ErrSecretMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseCredentials(tt.secret)
			if got != tt.want || !errors.Is(err, tt.wantErr) || (err == nil) != (tt.wantErr == nil) {
				t.Errorf("%q: got %q %q %q, %v, want %q %q %q, %v", tt.secret, got.ClientID, got.ClientSecret, got.APIKey, err,
					tt.want.ClientID, tt.want.ClientSecret, tt.want.APIKey, tt.wantErr)
			}
			if err != nil && (strings.Contains(err.Error(), "plan") || strings.Contains(err.Error(), "ted\"")) {
				t.Errorf("%q: error %q quotes the secret", tt.secret, err)
			}
		})
	}
}

// A read that fails is not remembered; one that succeeds is, for good.
func TestCredentialCache_Credentials(t *testing.T) {
	t.Parallel()
	c := new(clock)
	s := newSecrets(c, "!", "{}", pairSecret, keySecret)
	errInvalid := errors.New("malformed")
	s.Invalid = func(err error) error { return errors.Join(errInvalid, err) }
	pair := Credentials{ClientID: "id-1", ClientSecret: "secret-1"}
	for i, tt := range []struct {
		want      Credentials
		wantErr   error
		wantReads int32
	}{
		{Credentials{}, errStore, 1},
		{Credentials{}, errInvalid, 2},
		{pair, nil, 3},
		{pair, nil, 3},
	} {
		got, err := s.Credentials(t.Context())
		if got != tt.want || !errors.Is(err, tt.wantErr) || s.reads.Load() != tt.wantReads {
			t.Errorf("call %d: got %q, %v after %d reads, want %q, %v after %d", i+1, got.ClientID, err, s.reads.Load(), tt.want.ClientID, tt.wantErr, tt.wantReads)
		}
		c.advance(24 * time.Hour)
	}
}

func TestCredentialCache_invalidUnset(t *testing.T) {
	t.Parallel()
	if _, err := newSecrets(new(clock), "{}").Credentials(t.Context()); !errors.Is(err, ErrSecretIncomplete) {
		t.Errorf("got %v, want %v", err, ErrSecretIncomplete)
	}
}

func TestCredentialCache_Renew(t *testing.T) {
	t.Parallel()
	first, second := Credentials{APIKey: "k1"}, Credentials{APIKey: "k2"}
	const one, two = `{"api_key":"k1"}`, `{"api_key":"k2"}`
	type step struct {
		at          time.Duration
		refused     Credentials
		want        Credentials
		wantRenewed bool
		wantErr     error
		wantReads   int32
	}
	tests := map[string]struct {
		texts []string
		steps []step
	}{
		"the interval": {[]string{one}, []step{
			{0, first, first, true, nil, 2},
			{0, first, first, false, nil, 2},
			{30*time.Second - 1, first, first, false, nil, 2},
			{30 * time.Second, first, first, true, nil, 3},
			{59 * time.Second, first, first, false, nil, 3},
			{60 * time.Second, first, first, true, nil, 4},
		}},
		"rotated": {[]string{one, two}, []step{
			{0, first, second, true, nil, 2},
			{0, first, second, true, nil, 2}, // who still holds the old ones gets the new ones
			{0, second, second, false, nil, 2},
			{31 * time.Second, first, second, true, nil, 2},
			{31 * time.Second, second, second, true, nil, 3},
		}},
		"failed reads do not count": {[]string{one, "!", "{}", two, "!"}, []step{
			{0, first, Credentials{}, false, errStore, 2},
			{0, first, Credentials{}, false, ErrSecretIncomplete, 3},
			{0, first, second, true, nil, 4},
			{0, second, second, false, nil, 4},
			{30 * time.Second, second, Credentials{}, false, errStore, 5},
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := new(clock)
			s := newSecrets(c, tt.texts...)
			if _, err := s.Credentials(t.Context()); err != nil {
				t.Fatal(err)
			}
			for i, step := range tt.steps {
				c.offset.Store(int64(step.at))
				got, renewed, err := s.Renew(t.Context(), step.refused)
				if got != step.want || renewed != step.wantRenewed || !errors.Is(err, step.wantErr) || s.reads.Load() != step.wantReads {
					t.Errorf("step %d, %q refused at %v: got %q, %t, %v after %d reads, want %q, %t, %v after %d", i, step.refused.APIKey, step.at,
						got.APIKey, renewed, err, s.reads.Load(), step.want.APIKey, step.wantRenewed, step.wantErr, step.wantReads)
				}
			}
			// What was cached stays, whatever became of the renewals.
			if got, err := s.Credentials(t.Context()); err != nil || got == (Credentials{}) {
				t.Errorf("afterwards: got %q, %v, want cached credentials", got.APIKey, err)
			}
		})
	}
}

// The clock that counts is the wall clock: the monotonic one may stop while Lambda freezes.
func TestWallNow(t *testing.T) {
	t.Parallel()
	frozen := time.Now()
	thawed := frozen.Add(time.Minute).Round(0) // a minute later by the wall clock alone
	if got := wallNow(func() time.Time { return thawed }).Sub(wallNow(func() time.Time { return frozen })); got != time.Minute {
		t.Errorf("got %v between the two, want a minute", got)
	}
	if got := wallNow(time.Now); got != got.Round(0) {
		t.Errorf("got %#v, want no monotonic part", got)
	}
	synctest.Test(t, func(t *testing.T) {
		if got, want := wallNow(nil), time.Now().Round(0); got != want {
			t.Errorf("nil clock: got %v, want %v", got, want)
		}
	})
}

// Callers who arrive while a call is made share it.
func TestFlight_shared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var f flight[int]
		calls, release := 0, make(chan struct{})
		var wg sync.WaitGroup
		for range 200 {
			wg.Go(func() {
				got, err := f.do(t.Context(), func(context.Context) (int, error) {
					calls++
					<-release
					return calls, errStore
				})
				if got != 1 || !errors.Is(err, errStore) {
					t.Errorf("got %d, %v, want 1, %v", got, err, errStore)
				}
			})
		}
		synctest.Wait()
		close(release)
		wg.Wait()
		if got, err := f.do(t.Context(), func(context.Context) (int, error) { return 42, nil }); got != 42 || err != nil {
			t.Errorf("afterwards: got %d, %v, want a call anew", got, err)
		}
	})
}

// A caller that gives up does not fail the others.
func TestFlight_leaderLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var f flight[int]
		ctx, cancel := context.WithCancel(t.Context())
		slow := func(ctx context.Context) (int, error) {
			select {
			case <-ctx.Done():
				return 0, ctx.Err()
			case <-time.After(time.Second):
				return 1, nil
			}
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := f.do(ctx, slow); !errors.Is(err, context.Canceled) {
				t.Errorf("who left: got %v, want %v", err, context.Canceled)
			}
		})
		synctest.Wait()
		wg.Go(func() {
			got, err := f.do(t.Context(), func(context.Context) (int, error) { return 2, nil })
			if got != 1 || err != nil {
				t.Errorf("who stayed: got %d, %v, want the shared 1", got, err)
			}
		})
		synctest.Wait()
		cancel()
		wg.Wait()
	})
}

// A caller with time left does not get the error of one whose deadline has passed.
func TestFlight_leaderRunsOutOfTime(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"deadline":           context.DeadlineExceeded,
		"wrapped":            errors.Join(errStore, context.Canceled),
		"a client's timeout": &Error{Kind: KindTimeout, Op: opToken},
		"words of the store": errStore,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var f flight[int]
				short, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				var wg sync.WaitGroup
				wg.Go(func() {
					if got, _ := f.do(short, func(ctx context.Context) (int, error) { <-ctx.Done(); return 0, err }); got != 0 {
						t.Errorf("short of time: got %d, want 0", got)
					}
				})
				synctest.Wait()
				wg.Go(func() {
					if got, err := f.do(t.Context(), func(context.Context) (int, error) { return 2, nil }); got != 2 || err != nil {
						t.Errorf("time left: got %d, %v, want a call of its own", got, err)
					}
				})
				wg.Wait()
			})
		})
	}
}

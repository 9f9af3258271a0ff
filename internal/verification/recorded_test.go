package verification_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"didit-sessions/internal/didit"
	"didit-sessions/internal/memory"
	"didit-sessions/internal/verification"
)

// provider creates sessions by a function.
type provider func(ctx context.Context, r didit.SessionRequest) (didit.Session, error)

func (p provider) CreateSession(ctx context.Context, r didit.SessionRequest) (didit.Session, error) {
	return p(ctx, r)
}

func made(change func(*didit.Session)) provider {
	return func(context.Context, didit.SessionRequest) (didit.Session, error) {
		made := didit.Session{ID: session, URL: "https://verify.didit.me/session/abc", Status: "Not Started", WorkflowID: workflow}
		if change != nil {
			change(&made)
		}
		return made, nil
	}
}

// adder adds to a store that is empty otherwise.
type adder func(ctx context.Context, r verification.Record) (verification.Record, bool, error)

func (a adder) Add(ctx context.Context, r verification.Record) (was verification.Record, known bool, err error) {
	return a(ctx, r)
}

func (adder) Latest(context.Context, string, int) ([]verification.Record, error) { return nil, nil }

func (adder) Record(context.Context, string) (verification.Record, bool, error) {
	return verification.Record{}, false, nil
}

func (adder) Replace(context.Context, verification.Record) (bool, error) { return false, nil }

func service(p verification.Provider, store adder, now func() time.Time) *verification.Creator {
	s := &verification.Creator{Didit: p, Policy: verification.Policy{WorkflowIDs: []string{workflow}}, Now: now}
	if store != nil {
		s.Store = store
	}
	return s
}

// asOwner is the least that a signed-in user can send.
func asOwner() verification.CreateRequest {
	return verification.CreateRequest{Caller: owner, Fields: verification.Value{Kind: verification.KindObject}}
}

// Ensure that a session is on record before its URL is handed out, with what is known of it.
func TestCreator_Create_recorded(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		request  verification.CreateRequest
		change   func(*didit.Session)
		owner    string
		workflow string
		status   string
	}{
		{"own", asOwner(), nil, someone, workflow, "Not Started"},
		{"reused", asOwner(), func(s *didit.Session) { s.Status = "In Progress" }, someone, workflow, "In Progress"},
		{"without an owner", verification.CreateRequest{Caller: trusted, Fields: verification.Value{Kind: verification.KindObject}}, nil, "", workflow, "Not Started"},
		{"upper case", asOwner(), func(s *didit.Session) {
			s.ID = "99999999-2222-3333-4444-55555555555A"
		}, someone, workflow, "Not Started"},
		{"answered with the least", asOwner(), func(s *didit.Session) { s.Status, s.WorkflowID = "", "" }, someone, workflow, "Not Started"},
	} {
		store := new(memory.Store)
		got, err := service(made(test.change), store.Add, noon).Create(t.Context(), test.request)
		wantCode(t, test.name, err, "")
		id := session
		if test.name == "upper case" {
			id = "99999999-2222-3333-4444-55555555555a"
		}
		r, found, err := store.Record(t.Context(), id)
		if err != nil || !found {
			t.Fatalf("%s: got on record %v, error %v, want it", test.name, found, err)
		}
		want(t, test.name+": owner", r.VendorData, test.owner)
		want(t, test.name+": workflow", r.WorkflowID, test.workflow)
		want(t, test.name+": status", r.Status, test.status)
		if r.Source != verification.SourceCreate || !r.CreatedAt.Equal(noon()) || !r.DueFrom.Equal(noon().Add(15*time.Minute)) || r.Awaited || got.URL == "" {
			t.Errorf("%s: got a record from %s of %v, due from %v", test.name, r.Source, r.CreatedAt, r.DueFrom)
		}
	}
}

// Ensure that a new record is kept, and looked at, as the configuration says.
func TestCreator_Create_recordedTimes(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for _, test := range []struct{ retention, after, wantRetention, wantAfter time.Duration }{
		{0, 0, 1095 * day, 15 * time.Minute}, {30 * day, time.Hour, 30 * day, time.Hour},
	} {
		store := &memory.Store{Now: noon}
		s := service(made(nil), store.Add, noon)
		s.Retention, s.ReconcileAfter = test.retention, test.after
		if _, err := s.Create(t.Context(), asOwner()); err != nil {
			t.Fatal(err)
		}
		r, _, _ := store.Record(t.Context(), session)
		want(t, "expires", r.Expires, noon().Add(test.wantRetention))
		want(t, "due from", r.DueFrom, noon().Add(test.wantAfter))
	}
}

// Ensure that a session that cannot be recorded is not handed out, and that a retry gets and
// records it.
func TestCreator_Create_storeTrouble(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err  error
		code verification.Code
	}{
		{down(), verification.CodeBackendUnavailable},
		{verification.NewError(verification.CodeInternal, "the table is missing"), verification.CodeInternal},
		{errors.New("something else"), verification.CodeInternal},
	} {
		store := new(memory.Store)
		trouble := test.err
		s := service(made(nil), func(ctx context.Context, r verification.Record) (verification.Record, bool, error) {
			if trouble != nil {
				return verification.Record{}, false, trouble
			}
			return store.Add(ctx, r)
		}, noon)
		got, err := s.Create(t.Context(), asOwner())
		wantCode(t, "store fails", err, test.code)
		want(t, "session handed out", got.ID+got.URL, "")
		trouble = nil
		got, err = s.Create(t.Context(), asOwner())
		wantCode(t, "retry", err, "")
		want(t, "session", got.ID, session)
		if _, found, _ := store.Record(t.Context(), session); !found {
			t.Error("the retry left no record")
		}
	}
}

// Ensure that creating again takes nothing back.
func TestCreator_Create_again(t *testing.T) {
	t.Parallel()
	sys := newSystem()
	s := service(made(nil), sys.store.Add, sys.clock.now)
	for range 2 {
		if _, err := s.Create(t.Context(), asOwner()); err != nil {
			t.Fatal(err)
		}
		sys.clock.pass(time.Minute)
		wantCode(t, "Track", sys.track(t, "e1", "In Progress", noon()), "")
	}
	r := sys.stored(t, session)
	if r.Status != "In Progress" || !r.CreatedAt.Equal(noon()) {
		t.Errorf("got %s, created at %v, want what there was", r.Status, r.CreatedAt)
	}
}

func TestCreator_Create_strangeID(t *testing.T) {
	t.Parallel()
	strange := made(func(s *didit.Session) { s.ID = "s-1" })
	_, err := service(strange, new(memory.Store).Add, noon).Create(t.Context(), asOwner())
	wantCode(t, "recording", err, verification.CodeDiditUnavailable)
	got, err := service(strange, nil, noon).Create(t.Context(), asOwner())
	wantCode(t, "not recording", err, "")
	want(t, "session", got.ID, "s-1")
}

// Ensure that nothing is recorded of a session that was not made.
func TestCreator_Create_notMade(t *testing.T) {
	t.Parallel()
	s := service(provider(func(context.Context, didit.SessionRequest) (didit.Session, error) {
		return didit.Session{}, &didit.Error{Kind: didit.KindThrottled}
	}), func(context.Context, verification.Record) (verification.Record, bool, error) {
		t.Error("something was recorded")
		return verification.Record{}, false, nil
	}, noon)
	_, err := s.Create(t.Context(), asOwner())
	wantCode(t, "throttled", err, verification.CodeThrottled)
}

// Ensure that Didit leaves time for the record, and has all of it where there is none to make.
func TestCreator_Create_reserve(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, test := range []struct {
			name     string
			has, may time.Duration // the call's time, and Didit's
			records  bool
		}{
			{"enough", 20 * time.Second, 18 * time.Second, true},
			{"little", 4 * time.Second, 3 * time.Second, true},
			{"not recording", 20 * time.Second, 20 * time.Second, false},
			{"no limit", 0, 0, true},
		} {
			var left, leftToRecord time.Duration
			remaining := func(ctx context.Context) time.Duration {
				if deadline, ok := ctx.Deadline(); ok {
					return time.Until(deadline)
				}
				return 0
			}
			p := provider(func(ctx context.Context, r didit.SessionRequest) (didit.Session, error) {
				left = remaining(ctx)
				return made(nil)(ctx, r)
			})
			var store adder
			if test.records {
				store = func(ctx context.Context, _ verification.Record) (verification.Record, bool, error) {
					leftToRecord = remaining(ctx)
					return verification.Record{}, false, ctx.Err()
				}
			}
			ctx, cancel := t.Context(), context.CancelFunc(func() {})
			if test.has > 0 {
				ctx, cancel = context.WithTimeout(ctx, test.has)
			}
			_, err := service(p, store, nil).Create(ctx, asOwner())
			cancel()
			wantCode(t, test.name, err, "")
			want(t, test.name+": Didit's time", left, test.may)
			if test.records {
				want(t, test.name+": time to record", leftToRecord, test.has)
			}
		}
	})
}

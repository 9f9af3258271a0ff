package verification_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"didit-sessions/internal/didit"
	"didit-sessions/internal/didit/didittest"
	"didit-sessions/internal/memory"
	"didit-sessions/internal/verification"
)

// Ensure that whatever fails, the rest is tried, the event included, that the first failure is
// returned, and that the next call continues and counts what the first one did.
func TestEraser_Erase_failures(t *testing.T) {
	t.Parallel()
	at := func(f didittest.Fault, op didittest.Op) func(*erasing) {
		return func(s *erasing) { s.didit.Inject(f.At(op)) }
	}
	refuse := func(call string) func(*erasing) {
		return func(s *erasing) { s.refuse[call] = down() }
	}
	for name, test := range map[string]struct {
		arrange func(*erasing)
		code    verification.Code
		marked  int  // sessions, whose tasks fail
		deleted int  // sessions at Didit
		user    bool // is deleted at Didit
		event   bool
	}{
		"Didit is down":                 {func(s *erasing) { s.didit.Inject(didittest.ServerError) }, verification.CodeDiditUnavailable, 3, 0, false, true},
		"the list is down":              {at(didittest.ServerError, didittest.OpList), verification.CodeDiditUnavailable, 3, 3, false, true},
		"the list is no list":           {at(didittest.Fault{Status: 200, Body: `{"results":{}}`}, didittest.OpList), verification.CodeDiditUnavailable, 3, 3, false, true},
		"the list is a page":            {at(didittest.HTMLPage, didittest.OpList), verification.CodeDiditUnavailable, 3, 3, false, true},
		"the list is at another path":   {at(didittest.NotFoundPage, didittest.OpList), verification.CodeInternal, 3, 3, false, true},
		"the list is refused":           {at(didittest.BareArray, didittest.OpList), verification.CodeInternal, 3, 3, false, true},
		"the key is refused, 401":       {func(s *erasing) { s.didit.Inject(didittest.InvalidAPIKey.At(didittest.OpAny)) }, verification.CodeCredentialsRejected, 3, 0, false, true},
		"the key is refused, 403":       {func(s *erasing) { s.didit.Inject(didittest.Forbidden.At(didittest.OpAny)) }, verification.CodeCredentialsRejected, 3, 0, false, true},
		"no right to delete":            {at(didittest.Forbidden, didittest.OpDelete), verification.CodeCredentialsRejected, 5, 0, false, true},
		"too many requests":             {at(didittest.WriteRateLimited, didittest.OpDelete), verification.CodeThrottled, 5, 0, false, true},
		"one deletion fails":            {func(s *erasing) { s.didit.Inject(didittest.Fault{On: didittest.OpDelete, Times: 2}) }, verification.CodeDiditUnavailable, 5, 4, true, true},
		"one deletion is reset once":    {func(s *erasing) { s.didit.Inject(didittest.ServerError.At(didittest.OpDelete).Once()) }, "", 5, 5, true, true},
		"all deletions fail":            {at(didittest.ServerError, didittest.OpDelete), verification.CodeDiditUnavailable, 5, 0, true, true},
		"deletions are refused":         {at(didittest.BareArray, didittest.OpDelete), verification.CodeInternal, 5, 0, true, true},
		"sessions are at another path":  {at(didittest.NotFoundPage, didittest.OpDelete), verification.CodeInternal, 5, 0, true, true},
		"sessions are not known":        {at(didittest.SessionNotFound, didittest.OpDelete), "", 5, 0, true, true},
		"deletions answer 200":          {at(didittest.Fault{Status: 200, Body: `{"deleted":true}`}, didittest.OpDelete), "", 5, 0, true, true},
		"the user cannot be deleted":    {at(didittest.ServerError, didittest.OpDeleteUser), verification.CodeDiditUnavailable, 5, 5, false, true},
		"the user's deletion is a list": {at(didittest.BareArray, didittest.OpDeleteUser), verification.CodeInternal, 5, 5, false, true},
		"the user is not known":         {at(didittest.NotFound, didittest.OpDeleteUser), "", 5, 5, false, true},
		"the table cannot be written":   {refuse("MarkErased"), verification.CodeBackendUnavailable, 0, 0, false, true},
		"records cannot be listed":      {refuse("Owned"), verification.CodeBackendUnavailable, 5, 5, true, true},
		"tokens cannot be read":         {refuse("Tokens"), verification.CodeBackendUnavailable, 5, 5, true, true},
		"tasks cannot be failed":        {refuse("Fail"), verification.CodeBackendUnavailable, 5, 5, true, true},
		"records cannot be stripped":    {refuse("Strip"), verification.CodeBackendUnavailable, 5, 5, true, true},
		"the bus is down":               {refuse("Publish"), verification.CodeBackendUnavailable, 5, 5, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newErasing()
			for i, status := range []string{"Approved", "In Progress", "", "Declined", ""} {
				s.wait(t, s.session(t, someone, status), string(rune('a'+i)))
			}
			test.arrange(s)
			_, err := s.eraser.Erase(t.Context(), someone)
			wantCode(t, name, err, test.code)
			marked := 0
			for _, v := range s.didit.Sessions() {
				if r, _, _ := s.store.Record(t.Context(), v.ID); r.Erased {
					marked++
				}
			}
			want(t, "sessions marked", marked, test.marked)
			want(t, "sessions deleted", 5-len(s.left()), test.deleted)
			want(t, "user deleted", len(s.didit.Users()) == 0, test.user)
			want(t, "event published", len(s.published()) > 0, test.event)
			if name != "tasks cannot be failed" && name != "tokens cannot be read" {
				want(t, "the task of a session on record", s.ended("a") == "UserErased", test.marked > 0)
				want(t, "the task of another", s.ended("e") == "UserErased", test.marked > 3)
			}
			if test.code == "" {
				return
			}
			s.didit.ClearFaults()
			clear(s.refuse)
			s.clock.pass(time.Minute) // after which refused credentials are read again
			got, err := s.eraser.Erase(t.Context(), someone)
			if name == "the bus is down" || name == "records cannot be listed" || name == "the user cannot be deleted" || name == "the user's deletion is a list" {
				got.Sessions, got.Deleted = 5, 5 // the records were stripped: there was nothing left to be found
			}
			if want := (verification.Erased{Sessions: 5, Deleted: 5, UserDeleted: true}); err != nil || got != want {
				t.Errorf("again: got %+v, error %v, want %+v", got, err, want)
			}
			if len(s.left()) > 0 || len(s.didit.Users()) > 0 || s.ended("a") != "UserErased" || s.ended("e") != "UserErased" {
				t.Errorf("again: left %q and %q, tasks ended with %q and %q", s.left(), s.didit.Users(), s.ended("a"), s.ended("e"))
			}
			for _, v := range s.didit.Sessions() {
				if r := s.stored(t, v.ID); !r.Erased || r.VendorData != "" || r.Version != 0 {
					t.Errorf("again: %s is not stripped", v.ID)
				}
			}
		})
	}
}

// Ensure that a session that Didit still lists is deleted, although an earlier call noted it as
// gone, and that one which is on record for another end user is left alone.
func TestEraser_Erase_records(t *testing.T) {
	t.Parallel()
	s := newErasing()
	listed, foreign := s.session(t, someone, "Approved"), s.session(t, someone, "")
	s.record(t, foreign, func(r *verification.Record) { r.VendorData = "user-124" })
	if _, _, err := s.store.MarkErased(t.Context(), verification.Record{
		SessionID: listed, VendorData: someone, Gone: true, Expires: noon().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	_, err := s.eraser.Erase(t.Context(), someone)
	wantCode(t, "with another end user's record", err, verification.CodeInternal)
	if v, _ := s.didit.Session(listed); !v.Deleted {
		t.Error("Didit still has a session that it lists")
	}
	v, _ := s.didit.Session(foreign)
	if r := s.stored(t, foreign); v.Deleted || r.Erased || r.VendorData != "user-124" {
		t.Errorf("the other record: deleted at Didit %v, erased %v, want it left alone", v.Deleted, r.Erased)
	}
}

// Ensure that a session which is erased is not handed out again, and that one that is created while
// others are erased is found.
func TestEraser_Erase_create(t *testing.T) {
	t.Parallel()
	s := newErasing()
	id := s.session(t, someone, "In Progress")
	create := func() (verification.Created, error) {
		c := &verification.Creator{Didit: s.eraser.Didit.(*didit.Client), Store: s.store, Now: s.clock.now, Policy: verification.Policy{WorkflowIDs: []string{workflow}}}
		return c.Create(t.Context(), verification.CreateRequest{Caller: owner, Fields: verification.Value{Kind: verification.KindObject}})
	}
	if _, _, err := s.store.MarkErased(t.Context(), verification.Record{SessionID: id, VendorData: someone, Expires: noon().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	_, err := create()
	wantCode(t, "of an erased user, before Didit has deleted it", err, verification.CodeBackendUnavailable)

	during := ""
	s.eraser.Sleep = func(_ context.Context, d time.Duration) {
		s.clock.pass(d)
		if during == "" {
			during = s.session(t, someone, "") // its record comes later
		}
	}
	s.erase(t, "while one is created", verification.Erased{Sessions: 2, Deleted: 2, UserDeleted: true})
	if v, _ := s.didit.Session(during); !v.Deleted {
		t.Error("Didit has a session that was created meanwhile")
	}
	after, err := create()
	if err != nil || after.ID == id || after.Known {
		t.Errorf("after it: got session %s, known %v, error %v, want a new one", after.ID, after.Known, err)
	}

	s.eraser.Sleep = func(_ context.Context, d time.Duration) { s.clock.pass(d); s.session(t, someone, "") }
	_, err = s.eraser.Erase(t.Context(), someone)
	wantCode(t, "while sessions go on being created", err, verification.CodeBackendUnavailable)
	want(t, "tries", s.didit.Count(didittest.OpDeleteUser), 2+3)
}

// Ensure that the sessions of a user with 5,000 are deleted over several calls of five minutes, at
// a pace that Didit allows, that each call does what it can, and that the last one counts them all.
func TestEraser_Erase_many(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const sessions, calls = 5000, 6
		var mu sync.Mutex
		var writes []time.Time
		sim := &didittest.Server{OnRequest: func(e didittest.Exchange) {
			mu.Lock()
			defer mu.Unlock()
			if e.Op == didittest.OpDelete || e.Op == didittest.OpDeleteUser {
				writes = append(writes, e.Time)
			}
		}}
		defer sim.Close()
		for range sessions {
			if _, err := sim.StartSession(workflow, someone); err != nil {
				t.Fatal(err)
			}
		}
		store, bus := new(memory.Store), new(memory.Bus)
		e := &verification.Eraser{Store: store, Bus: bus, Tasks: new(memory.Tasks), Didit: &didit.Client{
			APIURL: "http://didit.test", Transport: simulated{sim}, Credentials: &didit.CredentialCache{Read: func(context.Context) (string, error) {
				return `{"api_key":"` + didittest.DefaultAPIKey + `"}`, nil
			}}}}
		made := 0
		for left := sessions; ; made++ {
			ctx, cancel := context.WithTimeout(t.Context(), 299*time.Second)
			start := time.Now()
			got, err := e.Erase(ctx, someone)
			if took := time.Since(start); ctx.Err() != nil || took > 299*time.Second {
				t.Fatalf("call %d took %v", made, took)
			}
			cancel()
			if err == nil {
				if want := (verification.Erased{Sessions: sessions, Deleted: sessions, UserDeleted: true}); got != want || len(writes) != sessions+1 {
					t.Errorf("the last call: got %+v after %d deletions, want %+v after one each", got, len(writes), want)
				}
				break
			}
			wantCode(t, "a call that is not the last", err, verification.CodeThrottled)
			if done := got.Deleted - (sessions - left); done < 900 || made > calls {
				t.Fatalf("call %d deleted %d sessions", made, done)
			}
			left = sessions - got.Deleted
		}
		for i, at := range writes {
			last, _ := slices.BinarySearchFunc(writes, at.Add(time.Minute), time.Time.Compare)
			if last-i > 300 || i > 0 && at.Sub(writes[i-1]) < 250*time.Millisecond {
				t.Fatalf("write %d: %d in the minute from it, %v after the one before", i, last-i, at.Sub(writes[max(0, i-1)]))
			}
		}
		if owned, err := all(store.Owned(t.Context(), someone)); len(owned) > 0 || err != nil {
			t.Errorf("%d records are not stripped, error %v", len(owned), err)
		}
		want(t, "events", len(bus.Published()), made+1)
		bus.Close()
	})
}

// Ensure that an error says nothing of the person.
func TestEraser_Erase_silent(t *testing.T) {
	t.Parallel()
	s := newErasing()
	s.session(t, someone, "Approved")
	s.didit.Inject(didittest.Fault{On: didittest.OpDelete, Status: http.StatusBadRequest, Body: `["user-123 (Carmen) cannot be deleted"]`})
	_, err := s.eraser.Erase(t.Context(), someone)
	e := verification.AsError(err)
	if text := e.Error() + e.Detail; strings.Contains(text, someone) || strings.Contains(text, "Carmen") || len(e.Fields) > 0 {
		t.Errorf("got %s", text)
	}
}

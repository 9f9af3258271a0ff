package table

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"didit-sessions/internal/awsfake"
	fakedynamodb "didit-sessions/internal/awsfake/dynamodb"
	"didit-sessions/internal/verification"
	"didit-sessions/internal/verification/verificationtest"
)

const (
	session = "99999999-2222-3333-4444-555555555555"
	marker  = "MARKER-user/role/table-name"
)

// newClient is the real SDK client, which makes one attempt.
func newClient(endpoint string, client aws.HTTPClient) *dynamodb.Client {
	return dynamodb.NewFromConfig(aws.Config{
		Region: awsfake.Region, RetryMaxAttempts: 1, BaseEndpoint: aws.String(endpoint), HTTPClient: client,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: marker}, nil
		}),
	})
}

// patience only ends a test that hangs. The product's limit is a matter of TestTable_silence alone:
// on a busy machine others would run into it.
const patience = 10 * time.Minute

// newTable makes a table at the endpoint, for the time of the test.
func newTable(t *testing.T, endpoint string) *Table {
	t.Helper()
	table := &Table{Client: newClient(endpoint, nil), Name: "sessions-" + rand.Text(), Limit: patience}
	if _, err := table.Client.CreateTable(t.Context(), Schema(table.Name)); err != nil {
		t.Fatalf("CreateTable: %v", err)
	}
	return table
}

// newFake returns a new table in the fake of DynamoDB.
func newFake(t *testing.T) (*Table, *fakedynamodb.Server) {
	t.Helper()
	fake := new(fakedynamodb.Server)
	if err := fake.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	return newTable(t, fake.URL()), fake
}

// spoilable returns the table for the suite of all stores.
func spoilable(table *Table) verificationtest.Store {
	return verificationtest.Store{Store: table, Spoil: func(t *testing.T, sessionID string) {
		t.Helper()
		e := new(expression)
		e.set(attrSeen, number(1))
		e.condition = "attribute_exists(" + e.name(PartitionKey) + ")"
		if spoilt, err := table.update(t.Context(), recordKey(sessionID), e); !spoilt || err != nil {
			t.Fatal(spoilt, err)
		}
	}}
}

func TestTable(t *testing.T) {
	t.Parallel()
	verificationtest.TestStore(t, func(t *testing.T) verificationtest.Store {
		table, _ := newFake(t)
		return spoilable(table)
	})
}

// Ensure that a third-party DynamoDB behaves like the fake. DYNAMODB_ENDPOINT is the URL of
// DynamoDB Local, or of another compatible service.
func TestTable_endpoint(t *testing.T) {
	t.Parallel()
	endpoint := os.Getenv("DYNAMODB_ENDPOINT")
	if endpoint == "" {
		t.Skip("DYNAMODB_ENDPOINT is not set")
	}
	at := func(t *testing.T) *Table {
		t.Helper()
		table := newTable(t, endpoint)
		t.Cleanup(func() {
			// The test's own context is over by now.
			if _, err := table.Client.DeleteTable(context.Background(), &dynamodb.DeleteTableInput{TableName: aws.String(table.Name)}); err != nil {
				t.Errorf("DeleteTable: %v", err)
			}
		})
		return table
	}
	verificationtest.TestStore(t, func(t *testing.T) verificationtest.Store { return spoilable(at(t)) })
	t.Run("expiry", func(t *testing.T) { t.Parallel(); expiry(t, at(t)) })
	t.Run("pages", func(t *testing.T) { t.Parallel(); pages(t, at(t)) })
	t.Run("malformed", func(t *testing.T) { t.Parallel(); malformed(t, at(t)) })
	t.Run("over-long", func(t *testing.T) { t.Parallel(); overLong(t, at(t)) })
	t.Run("shared token", func(t *testing.T) { t.Parallel(); sharedTokenMalformed(t, at(t)) })
}

// clock is a time that a test sets.
type clock struct{ now time.Time }

func noon() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

func TestTable_expiry(t *testing.T) {
	t.Parallel()
	table, _ := newFake(t)
	expiry(t, table)
}

// expiry ensures that rows that have expired are absent for every operation, though they are there.
func expiry(t *testing.T, table *Table) {
	c := clock{noon()}
	table.Now = func() time.Time { return c.now }
	ctx := t.Context()
	first := verification.NewRecord(session, "user-123", "workflow", verification.StatusApproved, c.now)
	first.Seen, first.Expires = []string{"event"}, c.now.Add(time.Hour)
	if err := errors.Join(addTo(ctx, table, first), table.AddToken(ctx, session, "token")); err != nil {
		t.Fatal(err)
	}
	c.now = noon().Add(time.Hour - time.Second)
	old, ok, err := table.Record(ctx, session)
	if !ok || err != nil {
		t.Fatalf("a second before it expires: got %v, error %v, want the record", ok, err)
	}
	c.now = noon().Add(time.Hour)
	wantAbsent(t, table, old)

	second := verification.NewRecord(session, "", "", verification.StatusNotStarted, c.now)
	second.DueFrom, second.Expires = time.Time{}, c.now.Add(time.Hour)
	if _, known, err := table.Add(ctx, second); known || err != nil {
		t.Fatalf("added where another had expired: got known %v, error %v, want neither", known, err)
	}
	got, ok, err := table.Record(ctx, session)
	if !ok || err != nil || got.VendorData != "" || got.WorkflowID != "" || got.Status != second.Status || !got.CreatedAt.Equal(second.CreatedAt) || !got.DueFrom.IsZero() || len(got.Seen) != 0 {
		t.Errorf("added where another had expired: got %v, error %v, want nothing of the old record", ok, err)
	}
	if ok, err := table.Replace(ctx, old); ok || err != nil {
		t.Errorf("Replace of the expired record: got %v, error %v, want false", ok, err)
	}
	taskExpiry(t, table, &c)
}

func wantAbsent(t *testing.T, table *Table, old verification.Record) {
	t.Helper()
	ctx := t.Context()
	if _, ok, err := table.Record(ctx, session); ok || err != nil {
		t.Errorf("Record: got %v, error %v, want no record", ok, err)
	}
	if ok, err := table.Replace(ctx, old); ok || err != nil {
		t.Errorf("Replace: got %v, error %v, want false", ok, err)
	}
	if ok, err := table.Remove(ctx, old); ok || err != nil {
		t.Errorf("Remove: got %v, error %v, want false", ok, err)
	}
	if records, err := table.ByOwner(ctx, "user-123", 10); len(records) != 0 || err != nil {
		t.Errorf("ByOwner: got %v, error %v, want none", records, err)
	}
}

// taskExpiry ensures that tasks live for 366 days, and again when stored again.
func taskExpiry(t *testing.T, table *Table, c *clock) {
	t.Helper()
	const life = 366 * 24 * time.Hour
	for _, test := range []struct {
		after time.Duration
		want  int
	}{{life - time.Second, 1}, {life, 0}} {
		c.now = noon().Add(test.after)
		if tokens, err := table.Tokens(t.Context(), session); len(tokens) != test.want || err != nil {
			t.Errorf("after %v: got %d tokens, error %v, want %d", test.after, len(tokens), err, test.want)
		}
	}
	if err := table.AddToken(t.Context(), session, "token"); err != nil {
		t.Fatal(err)
	}
	if tokens, err := table.Tokens(t.Context(), session); len(tokens) != 1 || err != nil {
		t.Errorf("stored again: got %d tokens, error %v, want 1", len(tokens), err)
	}
}

// Ensure that what must be no stale copy is read consistently, and nothing else.
func TestTable_consistentReads(t *testing.T) {
	t.Parallel()
	table, fake := newFake(t)
	for name, test := range map[string]struct {
		read func() error
		want int
	}{
		"Record":       {func() error { _, _, err := table.Record(t.Context(), session); return err }, 1},
		"RecentRecord": {func() error { _, _, err := table.RecentRecord(t.Context(), session); return err }, 0},
		"SharedToken":  {func() error { _, err := table.SharedToken(t.Context(), "TOKEN#1"); return err }, 1},
	} {
		before := fake.ConsistentReads()
		if err := test.read(); err != nil || fake.ConsistentReads()-before != test.want {
			t.Errorf("%s: got %d consistent reads, error %v, want %d", name, fake.ConsistentReads()-before, err, test.want)
		}
	}
}

// Ensure that a session is added though another writer replaces its expired row first.
func TestTable_Add_replacedMeanwhile(t *testing.T) {
	t.Parallel()
	other, fake := newFake(t)
	c := clock{noon().Add(time.Hour)}
	other.Now = func() time.Time { return c.now }
	old := verification.NewRecord(session, "user-123", "workflow", verification.StatusApproved, noon())
	old.Expires = noon().Add(time.Minute)
	r := verification.NewRecord(session, "user-123", "workflow", verification.StatusNotStarted, c.now)
	r.Expires = c.now.Add(time.Hour)
	if err := addTo(t.Context(), other, old); err != nil {
		t.Fatal(err)
	}
	requests := 0
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if requests++; requests == 3 { // both additions have been refused, and it is to be replaced
			if err := addTo(q.Context(), other, r); err != nil {
				t.Error(err)
			}
		}
		fake.ServeHTTP(w, q)
	}))
	t.Cleanup(front.Close)
	table := &Table{Client: newClient(front.URL, nil), Name: other.Name, Limit: patience, Now: other.Now}
	was, known, err := table.Add(t.Context(), r)
	if err != nil || !known || was.Status != verification.StatusNotStarted || requests < 4 {
		t.Errorf("got %v, known %v, error %v after %d requests, want what the other wrote", was, known, err, requests)
	}
}

func TestTable_pages(t *testing.T) {
	t.Parallel()
	table, _ := newFake(t)
	pages(t, table)
}

// pages ensures that what does not fit into one answer, or has expired, does not shorten a list.
func pages(t *testing.T, table *Table) {
	ctx := t.Context()
	c := clock{noon()}
	table.Now = func() time.Time { return c.now }
	record := func(n int, created time.Time) {
		t.Helper()
		r := verification.NewRecord(fmt.Sprintf("99999999-2222-3333-4444-%012d", n), "user-123", "", "", created)
		r.Expires = c.now.Add(time.Hour)
		if _, _, err := table.Add(ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 4 {
		record(n, noon().Add(time.Minute))
	}
	c.now = noon().Add(time.Hour)
	record(5, noon())
	if records, err := table.ByOwner(ctx, "user-123", 2); len(records) != 1 || err != nil || !strings.HasSuffix(records[0].SessionID, "5") {
		t.Errorf("behind four newer ones that have expired: got %v, error %v, want the one that has not", records, err)
	}
	const many = 560 // more than a megabyte
	for n := range many {
		if err := table.AddToken(ctx, session, fmt.Sprintf("%04d", n)+strings.Repeat("x", 2044)); err != nil {
			t.Fatal(err)
		}
	}
	if tokens, err := table.Tokens(ctx, session); len(tokens) != many || err != nil {
		t.Errorf("got %d tokens, error %v, want %d", len(tokens), err, many)
	}
}

func TestTable_overLong(t *testing.T) {
	t.Parallel()
	table, _ := newFake(t)
	overLong(t, table)
}

// overLong ensures that an owner that no index takes keeps no session off the record.
func overLong(t *testing.T, table *Table) {
	long := strings.Repeat("é", 1024)
	for _, owner := range []string{long, long + "x"} {
		r := verification.NewRecord(session, owner, "", verification.StatusNotStarted, time.Now())
		if _, _, err := table.Add(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		got, ok, err := table.Record(t.Context(), session)
		if want := owner == long; !ok || err != nil || (got.VendorData == owner) != want {
			t.Errorf("owner of %d bytes: got %v, error %v, want a record", len(owner), ok, err)
		}
		records, err := table.ByOwner(t.Context(), owner, 10)
		if want := owner == long; (len(records) == 1) != want || err != nil {
			t.Errorf("list of an owner of %d bytes: got %d, error %v", len(owner), len(records), err)
		}
		if ok, err := table.Remove(t.Context(), got); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
}

// Ensure that keys that DynamoDB did not get to are asked for again, and not for ever.
func TestTable_ByOwner_unprocessed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		times, calls int
		fails        bool
	}{{0, 1, false}, {1, 2, false}, {maxBatches - 1, maxBatches, false}, {awsfake.UntilCleared, maxBatches, true}} {
		table, fake := newFake(t)
		for n := range 3 {
			if _, _, err := table.Add(t.Context(), verification.NewRecord(fmt.Sprint(n), "user-123", "", "", noon().Add(time.Duration(n)))); err != nil {
				t.Fatal(err)
			}
		}
		fake.Fail(fakedynamodb.UnprocessedKeys, test.times)
		records, err := table.ByOwner(t.Context(), "user-123", 10)
		if test.fails {
			wantError(t, "unprocessed keys", err, verification.CodeBackendUnavailable, "throttles")
		} else if len(records) != 3 || err != nil {
			t.Errorf("unprocessed %d times: got %d records, error %v, want 3", test.times, len(records), err)
		}
		if got := fake.Calls("BatchGetItem"); got != test.calls {
			t.Errorf("unprocessed %d times: got %d requests, want %d", test.times, got, test.calls)
		}
	}
}

// Ensure that a malformed token hides no other, of which each can be ended.
func TestTable_malformedToken(t *testing.T) {
	t.Parallel()
	table, _ := newFake(t)
	e := new(expression)
	e.set(attrToken, number(5))
	e.condition = "attribute_not_exists(" + e.name(PartitionKey) + ")"
	if written, err := table.update(t.Context(), taskKey(session, "malformed"), e); !written || err != nil {
		t.Fatal(written, err)
	}
	for _, token := range []string{"a", "b"} {
		if err := table.AddToken(t.Context(), session, token); err != nil {
			t.Fatal(err)
		}
	}
	got, err := table.Tokens(t.Context(), session)
	if slices.Sort(got); err != nil || !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("got tokens %q, error %v, want a and b", got, err)
	}
}

// beforeReplace calls a function once, before the first Replace.
type beforeReplace struct {
	*Table
	call func()
}

func (b *beforeReplace) Replace(ctx context.Context, r verification.Record) (bool, error) {
	if call := b.call; call != nil {
		b.call = nil
		call()
	}
	return b.Table.Replace(ctx, r)
}

// Ensure that a session is in the class of those that tasks wait on, although one registration
// disturbs the other's write.
func TestTable_twoRegistrations(t *testing.T) {
	t.Parallel()
	table, _ := newFake(t)
	now := time.Now().UTC().Truncate(time.Second)
	r := record()
	r.Unread, r.DueFrom, r.ReadAt = false, now.Add(time.Minute), time.Time{}
	r.Expires = now.Add(1000 * time.Hour)
	if _, _, err := table.Add(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if _, claimed, err := table.Claim(t.Context(), r.SessionID, now, time.Minute); !claimed || err != nil { // so that Didit is not asked
		t.Fatal(claimed, err)
	}
	store := &beforeReplace{Table: table}
	tracker := &verification.Tracker{Store: store, Now: func() time.Time { return now }}
	store.call = func() {
		if err := tracker.Await(t.Context(), r.SessionID, "second"); err != nil {
			t.Error(err)
		}
	}
	if err := tracker.Await(t.Context(), r.SessionID, "first"); err != nil || store.call != nil {
		t.Fatal(err, "no Replace")
	}
	got, err := table.Tokens(t.Context(), r.SessionID)
	if err != nil || len(got) != 2 {
		t.Fatal(got, err)
	}
	for class := range verification.ClassOther + 1 {
		var ids []string
		for id, err := range table.Due(t.Context(), class, now.Add(time.Hour)) {
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, id)
		}
		if listed := slices.Contains(ids, r.SessionID); listed != (class == verification.ClassAwaited) {
			t.Errorf("class %d: got it listed %t", class, listed)
		}
	}
}

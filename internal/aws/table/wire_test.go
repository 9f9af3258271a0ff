package table

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"didit-sessions/internal/verification"
)

var updateGoldens = flag.Bool("update", false, "write the golden files anew")

// wire is an [aws.HTTPClient] that keeps requests and answers each with nothing, or as scripted.
type wire struct {
	scripted []string

	mu   sync.Mutex
	sent []string // "Operation {indented body}"
}

func (w *wire) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var document any
	if err := json.Unmarshal(body, &document); err != nil {
		return nil, err
	}
	var indented bytes.Buffer
	encoder := json.NewEncoder(&indented)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(map[string]any{strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "DynamoDB_20120810."): document}); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	answer := "{}"
	if len(w.sent) < len(w.scripted) {
		answer = w.scripted[len(w.sent)]
	}
	w.sent = append(w.sent, indented.String())
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}}, Body: io.NopCloser(strings.NewReader(answer)), Request: r}, nil
}

// Ensure that each operation sends exactly these requests.
func TestTable_wire(t *testing.T) {
	t.Parallel()
	full := record()
	full.Status, full.Source, full.Seen, full.Asked, full.Awaited = verification.StatusInReview, verification.SourceEvent, []string{"a", "b"}, 2, true
	full.Checks = []verification.Check{{Feature: "ID_VERIFICATION", Status: new("Approved")}, {Feature: "AML"}}
	full.Version, full.News, full.Unread, full.Expires = 7, 9, true, noon().Add(72*time.Hour)
	full.ConfirmedAt, full.DoubtAt, full.UnknownSince, full.UnknownReads = noon().Add(time.Second), noon().Add(time.Minute), noon().Add(time.Hour), 1
	final := full
	final.VendorData, final.WorkflowID, final.Status, final.DueFrom = "", "", verification.StatusApproved, time.Time{}
	erased := verification.Record{SessionID: session, VendorData: "user-123", CreatedAt: noon(), Gone: true, Expires: noon().Add(72 * time.Hour)}
	const listed = `{"Count":1,"Items":[{"pk":{"S":"` + session + `"},"sk":{"S":"S"},"vendor_data":{"S":"user-123"},"created_at":{"N":"1795435200000"}}]}`
	for _, test := range []struct {
		golden   string
		call     func(*testing.T, *Table) error
		scripted []string
	}{
		{"add", func(t *testing.T, s *Table) error { return addTo(t.Context(), s, full) }, nil},
		{"add_unknown", func(t *testing.T, s *Table) error { return addTo(t.Context(), s, final) }, nil},
		{"session", func(t *testing.T, s *Table) error { _, _, err := s.Record(t.Context(), session); return err }, nil},
		{"replace", func(t *testing.T, s *Table) error { _, err := s.Replace(t.Context(), full); return err }, nil},
		{"replace_final", func(t *testing.T, s *Table) error { _, err := s.Replace(t.Context(), final); return err }, nil},
		{"remove", func(t *testing.T, s *Table) error { _, err := s.Remove(t.Context(), full); return err }, nil},
		{"by_owner", func(t *testing.T, s *Table) error { _, err := s.ByOwner(t.Context(), "user-123", 10); return err }, []string{listed}},
		{"latest", func(t *testing.T, s *Table) error { _, err := s.Latest(t.Context(), "user-123", 100); return err }, nil},
		{"due", func(t *testing.T, s *Table) error {
			return firstError(s.Due(t.Context(), verification.ClassAwaited, noon()))
		}, nil},
		{"due_pages", func(t *testing.T, s *Table) error {
			return firstError(s.Due(t.Context(), verification.ClassUnread, noon()))
		}, []string{
			`{"Count":0,"Items":[],"LastEvaluatedKey":{"pk":{"S":"a"},"sk":{"S":"S"},"due":{"S":"1"},"due_from":{"N":"1"}}}`}},
		{"enroll", func(t *testing.T, s *Table) error { _, _, err := s.Enroll(t.Context(), full); return err }, nil},
		{"claim", func(t *testing.T, s *Table) error {
			_, _, err := s.Claim(t.Context(), session, noon(), time.Minute)
			return err
		}, nil},
		{"mark_erased", func(t *testing.T, s *Table) error { _, _, err := s.MarkErased(t.Context(), erased); return err }, nil},
		{"strip", func(t *testing.T, s *Table) error { return s.Strip(t.Context(), session) }, nil},
		{"owned", func(t *testing.T, s *Table) error { return firstError(s.Owned(t.Context(), "user-123")) }, nil},
		{"add_task", func(t *testing.T, s *Table) error { return s.AddToken(t.Context(), session, "token") }, nil},
		{"tasks", func(t *testing.T, s *Table) error { _, err := s.Tokens(t.Context(), session); return err }, nil},
		{"remove_task", func(t *testing.T, s *Table) error { return s.RemoveToken(t.Context(), session, "token") }, nil},
		{"take_read", func(t *testing.T, s *Table) error {
			_, err := s.TakeReadBudget(t.Context(), verification.ReaderReconcile, noon().Add(59*time.Second), 30)
			return err
		}, nil},
	} {
		t.Run(test.golden, func(t *testing.T) {
			t.Parallel()
			w := &wire{scripted: test.scripted}
			table := &Table{Client: newClient("https://dynamodb.invalid", w), Name: "sessions", Now: func() time.Time { return noon().Add(time.Second) }, Limit: patience}
			if err := test.call(t, table); err != nil {
				t.Fatal(err)
			}
			wantGolden(t, test.golden, strings.Join(w.sent, ""))
		})
	}
}

func wantGolden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".json")
	if *updateGoldens {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

// Ensure that no golden is left over from an operation that is gone.
func TestTable_wire_files(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) != 19 {
		t.Errorf("got %d golden files, error %v, want 19", len(files), err)
	}
}

func TestTable_malformed(t *testing.T) {
	t.Parallel()
	table, _ := newFake(t)
	malformed(t, table)
}

// malformed ensures that a row of another program is an error for the operator, and that a row of
// an older version, which lacks attributes, is not.
func malformed(t *testing.T, table *Table) {
	for i, test := range []struct {
		attribute string
		value     types.AttributeValue
		fails     bool
	}{
		{"later", text("unknown"), false},
		{attrStatus, number(1), true},
		{attrStatusAt, text("yesterday"), true},
		{attrStatusAt, &types.AttributeValueMemberN{Value: "1.5"}, true},
		{attrStatusAt, &types.AttributeValueMemberN{Value: "1e30"}, true},
		{attrAwaited, text("true"), true},
		{attrChecks, text("[]"), true},
		{attrChecks, &types.AttributeValueMemberL{Value: []types.AttributeValue{text("x")}}, true},
		{attrChecks, &types.AttributeValueMemberL{Value: []types.AttributeValue{&types.AttributeValueMemberM{Value: item{checkStatus: number(1)}}}}, true},
		{attrSeen, &types.AttributeValueMemberL{Value: []types.AttributeValue{number(1)}}, true},
		{attrVersion, text("1"), true},
	} {
		row := recordKey(session)
		row[OwnerPartitionKey], row[OwnerSortKey] = text("user-123"), number(noon().UnixMilli())
		row[test.attribute] = test.value
		if _, err := table.Client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(table.Name), Item: row}); err != nil {
			t.Fatal(err)
		}
		r, ok, err := table.Record(t.Context(), session)
		listed, listErr := table.ByOwner(t.Context(), "user-123", 1)
		if test.fails {
			wantError(t, test.attribute, err, verification.CodeInternal, "malformed")
			wantError(t, test.attribute+", added again", addTo(t.Context(), table, record()), verification.CodeInternal, "")
			if len(listed) != 0 || listErr != nil {
				t.Errorf("%d %s: listed %d, error %v, want neither", i, test.attribute, len(listed), listErr)
			}
		} else if !ok || err != nil || listErr != nil || len(listed) != 1 || r.VendorData != "user-123" || !r.CreatedAt.Equal(noon()) {
			t.Errorf("%d %s: got %v, errors %v, %v, want a record", i, test.attribute, ok, err, listErr)
		}
	}
}

// Ensure that the schema declares exactly the attributes that are keys.
func TestSchema(t *testing.T) {
	t.Parallel()
	schema := Schema("sessions")
	var declared, used []string
	for _, a := range schema.AttributeDefinitions {
		declared = append(declared, *a.AttributeName)
	}
	keys := schema.KeySchema
	for _, index := range schema.GlobalSecondaryIndexes {
		keys = append(keys, index.KeySchema...)
	}
	for _, key := range keys {
		used = append(used, *key.AttributeName)
	}
	if !slices.Equal(declared, used) {
		t.Errorf("declared %q, used %q", declared, used)
	}
}

// Ensure that a lagging index does not reveal the record of another owner.
func TestTable_ByOwner_lagging(t *testing.T) {
	t.Parallel()
	const key = `"pk":{"S":"` + session + `"},"sk":{"S":"S"}`
	for owner, want := range map[string]int{"user-123": 1, "user-124": 0} {
		w := &wire{scripted: []string{
			`{"Count":1,"Items":[{` + key + `,"vendor_data":{"S":"user-123"},"created_at":{"N":"1795435200000"}}]}`,
			`{"Responses":{"sessions":[{` + key + `,"vendor_data":{"S":"` + owner + `"}}]}}`,
		}}
		table := &Table{Client: newClient("https://dynamodb.invalid", w), Name: "sessions", Limit: patience}
		if got, err := table.ByOwner(t.Context(), "user-123", 10); len(got) != want || err != nil {
			t.Errorf("a row of %s: got %d records, error %v, want %d", owner, len(got), err, want)
		}
	}
}

// Ensure that a row which another program wrote counts as no shared token, and is replaced.
func TestTable_sharedTokenMalformed(t *testing.T) {
	t.Parallel()
	table, _ := newFake(t)
	sharedTokenMalformed(t, table)
}

func sharedTokenMalformed(t *testing.T, table *Table) {
	t.Helper()
	for name, row := range map[string]item{
		"no attributes":      {},
		"of another type":    {attrSealed: number(1), attrSince: text("tomorrow")},
		"without a time":     {attrSealed: text("x")},
		"expired by its ttl": {attrSealed: text("x"), attrSince: number(0), ExpiryAttribute: number(1)},
	} {
		key := sharedKey("TOKEN#" + name)
		row[PartitionKey], row[SortKey] = key[PartitionKey], key[SortKey]
		if _, err := table.Client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(table.Name), Item: row}); err != nil {
			t.Fatal(err)
		}
		want := ""
		if sealed, ok := row[attrSealed].(*types.AttributeValueMemberS); ok {
			want = sealed.Value
		}
		if got, err := table.SharedToken(t.Context(), "TOKEN#"+name); got != want || err != nil {
			t.Errorf("%s: got %q, error %v, want %q", name, got, err, want)
		}
		if err := table.ShareToken(t.Context(), "TOKEN#"+name, "new", "", noon(), noon()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got, err := table.SharedToken(t.Context(), "TOKEN#"+name); got != "new" || err != nil {
			t.Errorf("%s, replaced: got %q, error %v", name, got, err)
		}
	}
}

// Package awsstore keeps the records of sessions, and the tasks that wait on them, in one DynamoDB
// table. It refuses to decide anything about them: what is written, and what happens when somebody
// else wrote first, is up to its caller.
//
//	pk            sk                     attributes
//	session id    S                      the record
//	session id    T#sha256 of the token  a waiting task
//	R#minute      R                      how many reads at Didit were taken
//
// Two sparse indexes of keys alone list records by owner and those that are due.
package awsstore

import (
	"cmp"
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"didit-sessions/internal/verification"
)

const (
	// operationLimit is how long one operation may take, the SDK's own repetitions included. It
	// leaves the invocation time to ask Didit.
	operationLimit = 3 * time.Second

	// defaultRetention is the deployment's own default.
	defaultRetention = 365 * 24 * time.Hour
)

// Table is a [verification.Store] in DynamoDB. Rows that have expired count as absent, though
// DynamoDB takes days to delete them. Every operation ends within three seconds, with a
// [*verification.Error] if it fails: backend_unavailable when DynamoDB is out of reach (throttled,
// 5xx, network, time), internal when asking again does not help. It is safe for concurrent use.
//
// Times are kept to the millisecond. Vendor data of more than 2,048 bytes, which no index takes and
// nobody can ask for, is not kept.
type Table struct {
	Client    *dynamodb.Client // required
	Name      string           // name or ARN of the table; required
	Retention time.Duration    // how long a record lives after it was last written; 0 means 365 days
	Now       func() time.Time // nil means time.Now
	limit     time.Duration    // of one operation, for tests; 0 means operationLimit
}

var _ verification.Store = (*Table)(nil)

// Add puts a session on record, or confirms what is there, in one write.
func (t *Table) Add(ctx context.Context, r verification.Record) error {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(t.limit, operationLimit))
	defer cancel()
	// What is there and refuses the addition has expired. Only another Add can come in between, and
	// then the second addition succeeds.
	for range 2 {
		for _, e := range []*expression{t.addition(r), t.revival(r)} {
			if written, err := t.update(ctx, recordKey(r.SessionID), e); written || err != nil {
				return err
			}
		}
	}
	return errTrouble()
}

// Session reads the record as of now.
func (t *Table) Session(ctx context.Context, sessionID string) (verification.Record, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(t.limit, operationLimit))
	defer cancel()
	out, err := t.Client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: aws.String(t.Name), Key: recordKey(sessionID), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return verification.Record{}, false, explain(err)
	}
	if out.Item == nil || t.expired(out.Item) {
		return verification.Record{}, false, nil
	}
	r, err := decode(out.Item)
	return r, err == nil, err
}

// Replace writes the record if it is the latest version, and reports whether it did. It reports
// false also if its own write succeeded and the answer to it was lost: whoever reads again then
// finds what was to be written.
func (t *Table) Replace(ctx context.Context, r verification.Record) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(t.limit, operationLimit))
	defer cancel()
	return t.update(ctx, recordKey(r.SessionID), t.replacement(r))
}

// Remove takes the record away if it is the latest version, and reports whether it did, as
// [Table.Replace] does.
func (t *Table) Remove(ctx context.Context, r verification.Record) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(t.limit, operationLimit))
	defer cancel()
	e := new(expression)
	e.latest(r.Version, t.now())
	_, err := t.Client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: aws.String(t.Name), Key: recordKey(r.SessionID),
		ConditionExpression: aws.String(e.condition), ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values,
	})
	return outcome(err)
}

// update reports whether the expression's condition held.
func (t *Table) update(ctx context.Context, key item, e *expression) (bool, error) {
	_, err := t.Client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: aws.String(t.Name), Key: key,
		UpdateExpression: aws.String(e.update()), ConditionExpression: aws.String(e.condition),
		ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values,
	})
	return outcome(err)
}

func (t *Table) now() time.Time {
	if t.Now == nil {
		return time.Now()
	}
	return t.Now()
}

// expired reports whether the row counts as absent.
func (t *Table) expired(row item) bool {
	at, ok := integer(row[ExpiryAttribute])
	return ok && at <= t.now().Unix()
}

// expiry is when a record that is written now expires.
func (t *Table) expiry() int64 {
	retention := t.Retention
	if retention == 0 {
		retention = defaultRetention
	}
	return t.now().Add(retention).Unix()
}

// Warm opens the connection that the first operation needs, by reading what is not there. It is meant
// for the init phase of a Lambda function; its failure is nobody's, because that operation tries again.
func (t *Table) Warm(ctx context.Context) { _, _, _ = t.Session(ctx, "warm-up") }

// Package table stores the records of sessions, and the tokens of the tasks that wait on them, in
// one DynamoDB table. It makes no decisions: the caller decides what is written, and what happens
// after a conflicting write.
//
//	pk            sk                     attributes
//	session id    S                      the record
//	session id    T#SHA-256 of a token   the token of a waiting task
//	R#minute      R                      how many reads of Didit were taken in that minute
//
// Two sparse indexes, which project keys only, list the records of an owner and those that are due.
package table

import (
	"cmp"
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"didit-sessions/internal/verification"
)

const (
	// maxOperation is how long one operation may take, the SDK's own retries included. It leaves
	// the invocation time for the request to Didit.
	maxOperation = 3 * time.Second

	// defaultRetention is the same as the template's.
	defaultRetention = 1095 * 24 * time.Hour
)

// Table is a [verification.Store] in DynamoDB. It is safe for concurrent use.
//
// Every operation ends within three seconds. Its error is a [*verification.Error]:
// backend_unavailable if DynamoDB fails, throttles or is out of reach, or the time is over;
// internal if a retry cannot help.
//
// Expired rows count as absent, although DynamoDB takes days to delete them. Times are stored to
// the millisecond. Vendor data of more than 2,048 bytes is too long for an index key and is not
// stored.
type Table struct {
	Client    *dynamodb.Client // required
	Name      string           // name or ARN of the table; required
	Retention time.Duration    // how long a record is kept after its last write; 0 means 1095 days
	Now       func() time.Time // nil means time.Now
	Limit     time.Duration    // how long one operation may take; 0 means 3 s
}

// New returns the table with the name or ARN; see [Table] for the retention.
func New(c aws.Config, name string, retention time.Duration) *Table {
	return &Table{Client: dynamodb.NewFromConfig(c), Name: name, Retention: retention}
}

var _ verification.Store = (*Table)(nil)

// Add stores the record of a session, or confirms the stored one, in one write.
func (t *Table) Add(ctx context.Context, r verification.Record) error {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(t.Limit, maxOperation))
	defer cancel()
	// If the addition is refused, the stored row has expired: replace it. If that is refused,
	// another Add has replaced the row, and the second addition succeeds.
	for range 2 {
		for _, e := range []*expression{t.addition(r), t.replaceExpired(r)} {
			if written, err := t.update(ctx, recordKey(r.SessionID), e); written || err != nil {
				return err
			}
		}
	}
	return service.Busy()
}

// Session reads the record of the session consistently, and reports whether there is one.
func (t *Table) Record(ctx context.Context, sessionID string) (verification.Record, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(t.Limit, maxOperation))
	defer cancel()
	out, err := t.Client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: aws.String(t.Name), Key: recordKey(sessionID), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return verification.Record{}, false, service.Explain(err)
	}
	if out.Item == nil || t.expired(out.Item) {
		return verification.Record{}, false, nil
	}
	r, err := decode(out.Item)
	return r, err == nil, err
}

// Replace writes the record if it is the latest version, and reports whether it did. It also
// reports false if the write succeeded but its answer was lost, and the SDK retried it: the caller
// reads the record again and finds what it meant to write.
func (t *Table) Replace(ctx context.Context, r verification.Record) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(t.Limit, maxOperation))
	defer cancel()
	return t.update(ctx, recordKey(r.SessionID), t.replacement(r))
}

// Remove deletes the record if it is the latest version, and reports whether it did, like
// [Table.Replace].
func (t *Table) Remove(ctx context.Context, r verification.Record) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(t.Limit, maxOperation))
	defer cancel()
	e := new(expression)
	e.requireVersion(r.Version, t.now())
	_, err := t.Client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: aws.String(t.Name), Key: recordKey(r.SessionID),
		ConditionExpression: aws.String(e.condition), ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values,
	})
	return conditionHeld(err)
}

// update reports whether the expression's condition held.
func (t *Table) update(ctx context.Context, key item, e *expression) (bool, error) {
	_, err := t.Client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: aws.String(t.Name), Key: key,
		UpdateExpression: aws.String(e.update()), ConditionExpression: aws.String(e.condition),
		ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values,
	})
	return conditionHeld(err)
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

// expiry returns when a record that is written now expires, in Unix seconds.
func (t *Table) expiry() int64 {
	return t.now().Add(cmp.Or(t.Retention, defaultRetention)).Unix()
}

// Warm opens the connection for the first operation by reading a record that does not exist. It is
// meant for the init phase of a Lambda function. A failure does not matter: the first operation
// connects then.
func (t *Table) Warm(ctx context.Context) { _, _, _ = t.Record(ctx, "warm-up") }

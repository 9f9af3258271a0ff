// Package table stores the records of sessions, the tokens of the tasks that wait on them, and the
// sealed access token that functions share, in one DynamoDB table. It makes no decisions: the
// caller decides what is written, and what happens after a conflicting write.
//
//	pk            sk                     attributes
//	session id    S                      the record
//	session id    T#SHA-256 of a token   the token of a waiting task
//	R#minute      get or reconcile       how many reads of Didit were taken in that minute
//	TOKEN#hash    TOKEN                  the sealed access token that functions share
//
// Two sparse indexes list the records of an owner, and those that are due by their class.
package table

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"didit-sessions/internal/verification"
)

// maxOperation is how long one operation may take, the SDK's own retries included. It leaves the
// invocation time for the request to Didit.
const maxOperation = 3 * time.Second

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
	Client *dynamodb.Client // required
	Name   string           // name or ARN of the table; required
	Now    func() time.Time // nil means time.Now
	Limit  time.Duration    // how long one operation may take; 0 means 3 s
}

// New returns the table with the name or ARN.
func New(c aws.Config, name string) *Table {
	return &Table{Client: dynamodb.NewFromConfig(c), Name: name}
}

var _ verification.Store = (*Table)(nil)

// Add stores the record of a session, or confirms the stored one, in one write unless the stored
// one expires later or has expired. It returns the record as it was before, and whether there was
// one that had not expired. That of an erased session stays as it is.
func (t *Table) Add(ctx context.Context, r verification.Record) (was verification.Record, known bool, err error) {
	return t.add(ctx, r, t.addition(r, false), t.addition(r, true))
}

// Enroll marks the stored record as awaited, or stores the record, like [Table.Add].
func (t *Table) Enroll(ctx context.Context, r verification.Record) (was verification.Record, known bool, err error) {
	r.Awaited = true
	return t.add(ctx, r, t.enrollment(r))
}

// add tries the additions, of which at most one is written.
func (t *Table) add(ctx context.Context, r verification.Record, additions ...*expression) (was verification.Record, known bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(t.Limit, maxOperation))
	defer cancel()
	// If all additions are refused, the stored row has expired: replace it. If that is refused,
	// another writer has replaced the row, and the second turn succeeds.
	for range 2 {
		for _, e := range additions {
			before, written, err := t.updateReturning(ctx, recordKey(r.SessionID), e, types.ReturnValueAllOld)
			if err != nil || written && before == nil {
				return verification.Record{}, false, err
			}
			if written || before[attrErased] != nil && !t.expired(before) {
				was, err = decode(before)
				return was, err == nil, err
			}
		}
		if written, err := t.update(ctx, recordKey(r.SessionID), t.replaceExpired(r)); written || err != nil {
			return verification.Record{}, false, err
		}
	}
	return verification.Record{}, false, service.Busy()
}

// Record reads the record of the session consistently, and reports whether there is one.
func (t *Table) Record(ctx context.Context, sessionID string) (verification.Record, bool, error) {
	return t.record(ctx, sessionID, true)
}

// RecentRecord is Record by an eventually consistent read.
func (t *Table) RecentRecord(ctx context.Context, sessionID string) (verification.Record, bool, error) {
	return t.record(ctx, sessionID, false)
}

func (t *Table) record(ctx context.Context, sessionID string, consistent bool) (verification.Record, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(t.Limit, maxOperation))
	defer cancel()
	out, err := t.Client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: aws.String(t.Name), Key: recordKey(sessionID), ConsistentRead: aws.Bool(consistent)})
	if err != nil {
		return verification.Record{}, false, service.Explain(err)
	}
	if out.Item == nil || t.expired(out.Item) {
		return verification.Record{}, false, nil
	}
	r, err := decode(out.Item)
	return r, err == nil, err
}

// Claim claims a read of the session at Didit. It also reports false if the claim succeeded but its
// answer was lost, and the SDK retried it: then the session is not read in that minute.
func (t *Table) Claim(ctx context.Context, sessionID string, at time.Time, pause time.Duration) (verification.Record, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(t.Limit, maxOperation))
	defer cancel()
	before, claimed, err := t.updateReturning(ctx, recordKey(sessionID), t.claim(at, pause), types.ReturnValueAllOld)
	if err != nil || !claimed {
		return verification.Record{}, false, err
	}
	r, err := decode(before)
	r.ReadAt = time.UnixMilli(at.UnixMilli()).UTC()
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
	_, held, err := t.updateReturning(ctx, key, e, "")
	return held, err
}

// updateReturning is update, and returns the row as it was before if that is what is wanted, also
// if the condition did not hold; nil: there was none.
func (t *Table) updateReturning(ctx context.Context, key item, e *expression, wanted types.ReturnValue) (before item, held bool, err error) {
	out, err := t.Client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: aws.String(t.Name), Key: key, ReturnValues: wanted,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailure(wanted),
		UpdateExpression:                    aws.String(e.update()), ConditionExpression: aws.String(e.condition),
		ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values,
	})
	if refused, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		return refused.Item, false, nil
	}
	if err != nil {
		return nil, false, service.Explain(err)
	}
	return out.Attributes, true, nil
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

// Warm opens the connection for the first operation by reading a record that does not exist. It is
// meant for the init phase of a Lambda function. A failure does not matter: the first operation
// connects then.
func (t *Table) Warm(ctx context.Context) { _, _, _ = t.Record(ctx, "warm-up") }

package table

import (
	"cmp"
	"context"
	"iter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"didit-sessions/internal/verification"
)

// ByOwner returns an end user's latest records, newest first and at most limit. The index lags, so
// a record may be missing for a moment after it was written.
func (t *Table) ByOwner(ctx context.Context, vendorData string, limit int) ([]verification.Record, error) {
	if vendorData == "" || len(vendorData) > maxOwner {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(t.Limit, maxOperation))
	defer cancel()
	var records []verification.Record
	err := t.pages(ctx, t.owned(vendorData), limit, func(keys []item) (int, error) {
		found, err := t.records(ctx, keys)
		if err != nil {
			return 0, err
		}
		for _, r := range found {
			// The index lags: the row may have been removed and added again for another owner.
			if r.VendorData == vendorData && !r.Erased {
				records = append(records, r)
			}
		}
		return limit - len(records), nil
	})
	return records, err
}

// Latest returns what the index of owners shows of an end user's latest records, in one request.
// Erased rows, which have no status, and those that cannot be read are left out.
func (t *Table) Latest(ctx context.Context, vendorData string, limit int) (listed []verification.Record, err error) {
	if vendorData == "" || len(vendorData) > maxOwner || limit < 1 {
		return nil, nil
	}
	query := t.owned(vendorData)
	query.Limit = aws.Int32(int32(limit))
	page, err := t.query(ctx, query)
	if err != nil {
		return nil, err
	}
	for _, row := range page.Items {
		if r, err := decode(row); err == nil && r.Status != "" {
			listed = append(listed, r)
		}
	}
	return listed, nil
}

// Due lists the sessions of a class that are due at the time, the longest due first. It reads the
// index page by page, each within three seconds, as far as the caller goes through the list.
func (t *Table) Due(ctx context.Context, class verification.Class, now time.Time) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		query := &dynamodb.QueryInput{
			TableName: aws.String(t.Name), IndexName: aws.String(DueIndex), Limit: aws.Int32(maxPerRead),
			KeyConditionExpression:    aws.String("#due = :due AND #due_from <= :now"),
			ExpressionAttributeNames:  map[string]string{"#due": DuePartitionKey, "#due_from": DueSortKey},
			ExpressionAttributeValues: item{":due": classValue(class), ":now": milliseconds(now)},
		}
		t.yieldAll(ctx, query, yield)
	}
}

// Owned lists the sessions of an end user, newest first, page by page as [Table.Due] does.
func (t *Table) Owned(ctx context.Context, vendorData string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if vendorData != "" && len(vendorData) <= maxOwner {
			t.yieldAll(ctx, t.owned(vendorData), yield)
		}
	}
}

// yieldAll yields the session ids that a query lists, until yield returns false.
func (t *Table) yieldAll(ctx context.Context, query *dynamodb.QueryInput, yield func(string, error) bool) {
	for {
		page, err := t.query(ctx, query)
		if err != nil {
			yield("", err)
			return
		}
		for _, key := range page.Items {
			d := decoder{row: key}
			if !yield(d.text(PartitionKey), nil) {
				return
			}
		}
		if page.LastEvaluatedKey == nil {
			return
		}
		query.ExclusiveStartKey = page.LastEvaluatedKey
	}
}

// owned is the query for an end user's sessions, newest first.
func (t *Table) owned(vendorData string) *dynamodb.QueryInput {
	return &dynamodb.QueryInput{
		TableName: aws.String(t.Name), IndexName: aws.String(OwnerIndex), ScanIndexForward: aws.Bool(false),
		KeyConditionExpression:    aws.String("#owner = :owner"),
		ExpressionAttributeNames:  map[string]string{"#owner": OwnerPartitionKey},
		ExpressionAttributeValues: item{":owner": text(vendorData)},
	}
}

func (t *Table) query(ctx context.Context, query *dynamodb.QueryInput) (*dynamodb.QueryOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(t.Limit, maxOperation))
	defer cancel()
	out, err := t.Client.Query(ctx, query)
	return out, service.Explain(err)
}

// pages queries page by page until the index has no more rows or none are wanted. take handles a
// page and returns how many rows are still wanted.
func (t *Table) pages(ctx context.Context, query *dynamodb.QueryInput, wanted int, take func([]item) (int, error)) error {
	for wanted > 0 {
		query.Limit = aws.Int32(int32(min(wanted, maxPerRead)))
		out, err := t.Client.Query(ctx, query)
		if err != nil {
			return service.Explain(err)
		}
		if wanted, err = take(out.Items); err != nil {
			return err
		}
		if out.LastEvaluatedKey == nil {
			return nil
		}
		query.ExclusiveStartKey = out.LastEvaluatedKey
	}
	return nil
}

// records reads the records of at most 100 keys, in the order of the keys. It leaves out missing
// ones, and those that cannot be read: they must not hide an end user's others.
func (t *Table) records(ctx context.Context, keys []item) ([]verification.Record, error) {
	rows, err := t.rows(ctx, keys)
	if err != nil {
		return nil, err
	}
	var records []verification.Record
	for _, key := range keys {
		d := decoder{row: key}
		row, ok := rows[d.text(PartitionKey)]
		if !ok || t.expired(row) {
			continue
		}
		if r, err := decode(row); err == nil {
			records = append(records, r)
		}
	}
	return records, nil
}

const (
	// maxBatches is how many requests are made for keys that DynamoDB leaves unprocessed.
	maxBatches = 5
	// firstPause is the time before the second request; each further pause is twice as long.
	firstPause = 25 * time.Millisecond
)

// rows reads the rows of the keys and returns them by session id.
func (t *Table) rows(ctx context.Context, keys []item) (map[string]item, error) {
	rows := make(map[string]item)
	var left []item
	for _, key := range keys {
		left = append(left, item{PartitionKey: key[PartitionKey], SortKey: key[SortKey]})
	}
	for pause, batch := firstPause, 1; len(left) > 0; pause, batch = 2*pause, batch+1 {
		out, err := t.Client.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{
			RequestItems: map[string]types.KeysAndAttributes{t.Name: {Keys: left}}})
		if err != nil {
			return nil, service.Explain(err)
		}
		for _, answered := range out.Responses {
			for _, row := range answered {
				d := decoder{row: row}
				rows[d.text(PartitionKey)] = row
			}
		}
		left = nil
		for _, unprocessed := range out.UnprocessedKeys {
			left = append(left, unprocessed.Keys...)
		}
		if len(left) > 0 && (batch == maxBatches || !wait(ctx, pause)) {
			return nil, service.Busy()
		}
	}
	return rows, nil
}

// wait reports whether the pause has passed before the context ended.
func wait(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

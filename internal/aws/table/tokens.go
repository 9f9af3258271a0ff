package table

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"didit-sessions/internal/verification"
)

const (
	// budgetRetention is much longer than the minute for which the row is used.
	budgetRetention = time.Hour

	// minuteLayout formats minutes, in UTC.
	minuteLayout = "2006-01-02T15:04Z"
)

func taskKey(sessionID, token string) item {
	sum := sha256.Sum256([]byte(token))
	return item{PartitionKey: text(sessionID), SortKey: text(taskPrefix + hex.EncodeToString(sum[:]))}
}

// AddToken stores a token for 366 days. Storing it again changes nothing else.
func (t *Table) AddToken(ctx context.Context, sessionID, token string) error {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(t.Limit, maxOperation))
	defer cancel()
	row := taskKey(sessionID, token)
	row[attrToken] = text(token)
	row[ExpiryAttribute] = number(t.now().Add(verification.TaskRetention).Unix())
	_, err := t.Client.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String(t.Name), Item: row})
	return service.Explain(err)
}

// Tokens returns the tokens that are stored for the session, by a consistent read and in no order.
// Rows that it cannot decode are skipped: none of them can end a task.
func (t *Table) Tokens(ctx context.Context, sessionID string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(t.Limit, maxOperation))
	defer cancel()
	pages := dynamodb.NewQueryPaginator(t.Client, &dynamodb.QueryInput{
		TableName: aws.String(t.Name), ConsistentRead: aws.Bool(true),
		KeyConditionExpression:    aws.String("#pk = :session AND begins_with(#sk, :task)"),
		ExpressionAttributeNames:  map[string]string{"#pk": PartitionKey, "#sk": SortKey},
		ExpressionAttributeValues: item{":session": text(sessionID), ":task": text(taskPrefix)},
	})
	var tokens []string
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, service.Explain(err)
		}
		for _, row := range page.Items {
			d := decoder{row: row}
			if token := d.text(attrToken); !d.wrong && !t.expired(row) {
				tokens = append(tokens, token)
			}
		}
	}
	return tokens, nil
}

// RemoveToken deletes a token.
func (t *Table) RemoveToken(ctx context.Context, sessionID, token string) error {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(t.Limit, maxOperation))
	defer cancel()
	_, err := t.Client.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: aws.String(t.Name), Key: taskKey(sessionID, token)})
	return service.Explain(err)
}

// TakeReadBudget takes one of the reader's limit of reads in the minute, and reports whether one
// was left. A read counts as taken even if the answer to this call was lost.
func (t *Table) TakeReadBudget(ctx context.Context, reader verification.Reader, at time.Time, limit int) (bool, error) {
	if limit <= 0 {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(t.Limit, maxOperation))
	defer cancel()
	e := new(expression)
	e.increment(attrTaken, 0)
	e.set(ExpiryAttribute, number(t.now().Add(budgetRetention).Unix()))
	taken := e.name(attrTaken)
	e.condition = "attribute_not_exists(" + taken + ") OR " + taken + " < " + e.value("most", number(int64(limit)))
	key := item{PartitionKey: text(readPrefix + at.UTC().Format(minuteLayout)), SortKey: text(string(reader))}
	return t.update(ctx, key, e)
}

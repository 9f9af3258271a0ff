package awsstore

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

const (
	// taskLife is a day more than a task of Step Functions can wait.
	taskLife = 366 * 24 * time.Hour

	// readLife outlives the minute by far; nobody asks for a past one.
	readLife = time.Hour

	// minuteLayout names the minutes, in UTC.
	minuteLayout = "2006-01-02T15:04Z"
)

func taskKey(sessionID, token string) item {
	sum := sha256.Sum256([]byte(token))
	return item{PartitionKey: text(sessionID), SortKey: text(taskPrefix + hex.EncodeToString(sum[:]))}
}

// AddTask stores a token, once, for 366 days.
func (t *Table) AddTask(ctx context.Context, sessionID, token string) error {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(t.limit, operationLimit))
	defer cancel()
	row := taskKey(sessionID, token)
	row[attrToken] = text(token)
	row[ExpiryAttribute] = number(t.now().Add(taskLife).Unix())
	_, err := t.Client.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String(t.Name), Item: row})
	return explain(err)
}

// Tasks returns the tokens that are stored for the session, as of now and in no order.
func (t *Table) Tasks(ctx context.Context, sessionID string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(t.limit, operationLimit))
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
			return nil, explain(err)
		}
		for _, row := range page.Items {
			d := decoder{row: row}
			token := d.text(attrToken)
			if d.wrong {
				return nil, errMalformed()
			}
			if !t.expired(row) {
				tokens = append(tokens, token)
			}
		}
	}
	return tokens, nil
}

// RemoveTask forgets a token.
func (t *Table) RemoveTask(ctx context.Context, sessionID, token string) error {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(t.limit, operationLimit))
	defer cancel()
	_, err := t.Client.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: aws.String(t.Name), Key: taskKey(sessionID, token)})
	return explain(err)
}

// TakeRead takes one of the reads of the time's minute. A read whose answer was lost counts as taken.
func (t *Table) TakeRead(ctx context.Context, at time.Time, most int) (bool, error) {
	if most <= 0 {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(t.limit, operationLimit))
	defer cancel()
	e := new(expression)
	e.count(attrTaken, 0)
	e.set(ExpiryAttribute, number(t.now().Add(readLife).Unix()))
	taken := e.name(attrTaken)
	e.condition = "attribute_not_exists(" + taken + ") OR " + taken + " < " + e.value("most", number(int64(most)))
	return t.update(ctx, item{PartitionKey: text(readPrefix + at.UTC().Format(minuteLayout)), SortKey: text(readSort)}, e)
}

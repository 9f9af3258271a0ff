package table

import (
	"cmp"
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

func sharedKey(name string) item {
	return item{PartitionKey: text(name), SortKey: text(sharedSort)}
}

// SharedToken returns the sealed access token of that name by a consistent read, and the empty
// string for none. Whether it has expired says its content alone, because a row outlives its ttl,
// and anyone who may write it can change that.
func (t *Table) SharedToken(ctx context.Context, name string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(t.Limit, maxOperation))
	defer cancel()
	out, err := t.Client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: aws.String(t.Name), Key: sharedKey(name), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return "", service.Explain(err)
	}
	d := decoder{row: out.Item}
	return d.text(attrSealed), nil
}

// ShareToken stores a sealed access token that was requested at the time asked, unless the stored
// one was requested at that time or later and is not instead. That another is kept is no error.
func (t *Table) ShareToken(ctx context.Context, name, sealed, instead string, asked, expires time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(t.Limit, maxOperation))
	defer cancel()
	e := new(expression)
	e.set(attrSealed, text(sealed))
	e.set(attrSince, milliseconds(asked))
	e.set(ExpiryAttribute, number(expires.Unix()))
	// This also holds for a row without the attribute, or with a malformed one.
	e.condition = "NOT " + e.name(attrSince) + " >= :" + attrSince
	if instead != "" {
		e.condition += " OR " + e.name(attrSealed) + " = " + e.value("instead", text(instead))
	}
	_, err := t.update(ctx, sharedKey(name), e)
	return err
}

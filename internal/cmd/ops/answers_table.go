package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"didit-sessions/internal/aws/table"
)

// askLeftTable asks what is to become of the table that an earlier stack of the name left: a new
// stack would begin with an empty one, and no session that was created before would be found.
func (o *ops) askLeftTable(ctx context.Context, p *plan) error {
	if p.stack != nil && p.stack.StackStatus != "REVIEW_IN_PROGRESS" || p.values["ExistingTableName"] != "" {
		return nil
	}
	var left []string
	pages := dynamodb.NewListTablesPaginator(dynamodb.NewFromConfig(p.sdk), &dynamodb.ListTablesInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return explain("The tables cannot be listed", err)
		}
		for _, name := range page.TableNames {
			if strings.HasPrefix(name, p.name+"-SessionsTable-") {
				left = append(left, name)
			}
		}
	}
	if len(left) == 0 {
		return nil
	}
	const new = "new"
	q := *askTable
	q.prompt = fmt.Sprintf("An earlier stack %s left the table %s with its records. Its name takes it over, new begins with an empty one", p.name, strings.Join(left, ", "))
	q.usage = q.prompt
	q.check = func(_ context.Context, answer string) (string, error) {
		if answer != new && !slices.Contains(left, answer) {
			return "", fmt.Errorf("the answer must be %s or %s", strings.Join(left, ", "), new)
		}
		return answer, nil
	}
	if _, takes := p.template.Parameters[q.parameter]; !takes {
		return blind(fmt.Errorf("an earlier stack %s left the table %s; back it up and delete it before you deploy again", p.name, strings.Join(left, ", ")))
	}
	answer, err := o.ask(ctx, &q)
	if err != nil || answer == "" || answer == new {
		return err
	}
	p.values[q.parameter] = answer
	return p.config.setOverride(o.env, q.parameter, answer)
}

// checkTable returns one sentence if the table that the stack is to take over is not there, or has
// other keys or indexes than the functions use.
func (p *plan) checkTable(ctx context.Context) error {
	name := p.values["ExistingTableName"]
	if name == "" {
		return nil
	}
	out, err := dynamodb.NewFromConfig(p.sdk).DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &name})
	if _, none := errors.AsType[*types.ResourceNotFoundException](err); none {
		return fmt.Errorf("ExistingTableName: there is no table %s in %s", name, p.sdk.Region)
	}
	if err != nil {
		return explain("The table "+name+" cannot be read", err)
	}
	got := map[string]string{"": keysOf(out.Table.KeySchema)}
	for _, index := range out.Table.GlobalSecondaryIndexes {
		got[aws.ToString(index.IndexName)] = keysOf(index.KeySchema)
	}
	want := table.Schema(name)
	wanted := map[string]string{"": keysOf(want.KeySchema)}
	for _, index := range want.GlobalSecondaryIndexes {
		wanted[aws.ToString(index.IndexName)] = keysOf(index.KeySchema)
	}
	for index, keys := range wanted {
		if got[index] != keys {
			return fmt.Errorf("ExistingTableName: the table %s was made by an older version: %s has the keys %q, and %q are needed; deploy with a new table, and keep this one as an archive",
				name, strings.TrimSpace("its index "+index), got[index], keys)
		}
	}
	return nil
}

func keysOf(schema []types.KeySchemaElement) string {
	var names []string
	for _, key := range schema {
		names = append(names, aws.ToString(key.AttributeName))
	}
	return strings.Join(names, ", ")
}

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
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"

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

// checkTable returns one sentence if the table that the stack is to take over is not there, has
// other keys or indexes than the functions use, or is encrypted with a key that they may not use.
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
	want := table.Schema(name)
	if err := checkKeys(name, "", out.Table.KeySchema, want.KeySchema); err != nil {
		return err
	}
	for _, index := range want.GlobalSecondaryIndexes {
		var got types.GlobalSecondaryIndexDescription
		for _, g := range out.Table.GlobalSecondaryIndexes {
			if aws.ToString(g.IndexName) == *index.IndexName {
				got = g
			}
		}
		if err := checkKeys(name, *index.IndexName, got.KeySchema, index.KeySchema); err != nil {
			return err
		}
		if err := checkProjection(name, *index.IndexName, got.Projection, index.Projection); err != nil {
			return err
		}
	}
	return p.checkTableKey(ctx, name, out.Table.SSEDescription)
}

func checkKeys(name, index string, got, want []types.KeySchemaElement) error {
	if keysOf(got) == keysOf(want) {
		return nil
	}
	return fmt.Errorf("ExistingTableName: the table %s was made by an older version: %s has the keys %q, and %q are needed; deploy with a new table, and keep this one as an archive",
		name, strings.TrimSpace("its index "+index), keysOf(got), keysOf(want))
}

// checkProjection returns one sentence if an index does not show an attribute that the functions
// read of it.
func checkProjection(name, index string, got, want *types.Projection) error {
	if got != nil && got.ProjectionType == types.ProjectionTypeAll {
		return nil
	}
	var missing []string
	for _, attribute := range want.NonKeyAttributes {
		if got == nil || !slices.Contains(got.NonKeyAttributes, attribute) {
			missing = append(missing, attribute)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("ExistingTableName: the index %s of the table %s does not show %s; delete that index and create it again with %s, or deploy with a new table",
		index, name, strings.Join(missing, ", "), strings.Join(want.NonKeyAttributes, ", "))
}

// checkTableKey returns one sentence if the table has a customer managed key. DynamoDB names the
// key that AWS manages in the same way, so KMS is asked whose it is; without the right to look, the
// table is taken.
func (p *plan) checkTableKey(ctx context.Context, name string, encryption *types.SSEDescription) error {
	if encryption == nil || encryption.KMSMasterKeyArn == nil { // a key that AWS owns
		return nil
	}
	out, err := kms.NewFromConfig(p.sdk).DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: encryption.KMSMasterKeyArn})
	if err != nil || out.KeyMetadata == nil || out.KeyMetadata.KeyManager != kmstypes.KeyManagerTypeCustomer {
		return nil
	}
	return fmt.Errorf("ExistingTableName: the table %s has a customer managed KMS key, for which no function has rights; give it the key that AWS manages (aws dynamodb update-table --table-name %s --sse-specification Enabled=true), or deploy with a new table",
		name, name)
}

func keysOf(schema []types.KeySchemaElement) string {
	var names []string
	for _, key := range schema {
		names = append(names, aws.ToString(key.AttributeName))
	}
	return strings.Join(names, ", ")
}

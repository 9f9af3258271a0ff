package awsstore

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Names that the template and this package must agree on: the keys of the table and of its two
// indexes, which project keys alone, and the attribute by which rows expire.
const (
	PartitionKey = "pk" // string
	SortKey      = "sk" // string

	OwnerIndex        = "owner"
	OwnerPartitionKey = "vendor_data" // string
	OwnerSortKey      = "created_at"  // number, milliseconds

	DueIndex        = "due"
	DuePartitionKey = "due"      // string, the same in every row that is listed
	DueSortKey      = "due_from" // number, milliseconds

	ExpiryAttribute = "ttl" // number, seconds
)

// Further attributes of a record. Times are numbers of milliseconds.
const (
	attrStatus    = "status"
	attrStatusAt  = "status_at"
	attrSource    = "source"
	attrChecks    = "checks" // list of maps of feature and status
	attrFinal     = "final"  // for people who look at the table; nothing reads it
	attrWorkflow  = "workflow_id"
	attrCheckedAt = "checked_at"
	attrAsked     = "asked"
	attrAwaited   = "awaited"
	attrSeen      = "seen"
	attrVersion   = "version"

	checkFeature = "feature"
	checkStatus  = "status"
)

// Attributes of the other rows.
const (
	attrToken = "token" // of a waiting task
	attrTaken = "taken" // reads of a minute
)

// Sort keys, and what begins the partition keys and sort keys of the other rows.
const (
	recordSort   = "S"
	taskPrefix   = "T#" // and the token's SHA-256: a sort key has no room for the token
	readPrefix   = "R#" // and the minute
	readSort     = "R"
	dueValue     = "due"
	longestOwner = 2048 // bytes; a limit of DynamoDB for partition keys
	mostPerRead  = 100  // keys; a limit of BatchGetItem
)

// Schema describes the table as the template does, for places where no template made it: tests, and
// stand-ins for DynamoDB on a laptop. Rows expire only where expiry by [ExpiryAttribute] is switched on.
func Schema(name string) *dynamodb.CreateTableInput {
	attribute := func(name string, kind types.ScalarAttributeType) types.AttributeDefinition {
		return types.AttributeDefinition{AttributeName: aws.String(name), AttributeType: kind}
	}
	keys := func(partition, sort string) []types.KeySchemaElement {
		return []types.KeySchemaElement{
			{AttributeName: aws.String(partition), KeyType: types.KeyTypeHash}, {AttributeName: aws.String(sort), KeyType: types.KeyTypeRange}}
	}
	index := func(name, partition, sort string) types.GlobalSecondaryIndex {
		return types.GlobalSecondaryIndex{IndexName: aws.String(name), KeySchema: keys(partition, sort),
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly}}
	}
	return &dynamodb.CreateTableInput{
		TableName: aws.String(name), BillingMode: types.BillingModePayPerRequest, KeySchema: keys(PartitionKey, SortKey),
		AttributeDefinitions: []types.AttributeDefinition{
			attribute(PartitionKey, types.ScalarAttributeTypeS), attribute(SortKey, types.ScalarAttributeTypeS),
			attribute(OwnerPartitionKey, types.ScalarAttributeTypeS), attribute(OwnerSortKey, types.ScalarAttributeTypeN),
			attribute(DuePartitionKey, types.ScalarAttributeTypeS), attribute(DueSortKey, types.ScalarAttributeTypeN),
		},
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{
			index(OwnerIndex, OwnerPartitionKey, OwnerSortKey), index(DueIndex, DuePartitionKey, DueSortKey)},
	}
}

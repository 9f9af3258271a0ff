package table

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Names that the template and this package share: the keys of the table and of its two indexes, and
// the attribute by which rows expire. The index of owners also shows status, workflow and
// how often Didit did not know the session.
const (
	PartitionKey = "pk" // string
	SortKey      = "sk" // string

	OwnerIndex        = "owner"
	OwnerPartitionKey = "vendor_data" // string
	OwnerSortKey      = "created_at"  // number, milliseconds

	DueIndex        = "due"
	DuePartitionKey = "due"      // string, the class: 0 to 3
	DueSortKey      = "due_from" // number, milliseconds: when to look at the session

	ExpiryAttribute = "ttl" // number, seconds
)

// Further attributes of a record. Times are numbers of milliseconds.
const (
	attrStatus       = "status"
	attrStatusAt     = "status_at"
	attrSource       = "source"
	attrChecks       = "checks" // list of maps of feature and status
	attrFinal        = "final"  // for people who look at the table; no code reads it
	attrWorkflow     = "workflow_id"
	attrCheckedAt    = "checked_at"
	attrConfirmedAt  = "confirmed_at"
	attrReadAt       = "read_at"
	attrDoubtAt      = "doubt_at"
	attrNews         = "news"
	attrUnknownSince = "unknown_since"
	attrUnknownReads = "unknown_reads"
	attrAsked        = "asked"
	attrUnread       = "unread"
	attrAwaited      = "awaited"
	attrSeen         = "seen"
	attrErased       = "erased"
	attrGone         = "gone"
	attrVersion      = "version"

	checkFeature = "feature"
	checkStatus  = "status"
)

// Attributes of the other rows.
const (
	attrToken  = "token"  // of a waiting task
	attrTaken  = "taken"  // reads of a minute
	attrSealed = "sealed" // the shared access token
	attrSince  = "asked_at"
)

// Keys of the rows, prefixes of keys, and their limits.
const (
	recordSort = "S"
	taskPrefix = "T#" // and the SHA-256 of the token, which is too long for a sort key
	readPrefix = "R#" // and the minute; the sort key is the reader
	sharedSort = "TOKEN"
	maxOwner   = 2048 // bytes; DynamoDB's limit for partition keys
	maxPerRead = 100  // keys; the limit of BatchGetItem
)

// Schema describes the table as the template does, for tests and for DynamoDB Local, where no
// template creates it. Rows expire only if expiry by [ExpiryAttribute] is enabled.
func Schema(name string) *dynamodb.CreateTableInput {
	attribute := func(name string, kind types.ScalarAttributeType) types.AttributeDefinition {
		return types.AttributeDefinition{AttributeName: aws.String(name), AttributeType: kind}
	}
	keys := func(partition, sort string) []types.KeySchemaElement {
		return []types.KeySchemaElement{
			{AttributeName: aws.String(partition), KeyType: types.KeyTypeHash}, {AttributeName: aws.String(sort), KeyType: types.KeyTypeRange}}
	}
	index := func(name, partition, sort string, projection *types.Projection) types.GlobalSecondaryIndex {
		return types.GlobalSecondaryIndex{IndexName: aws.String(name), KeySchema: keys(partition, sort),
			Projection: projection}
	}
	keysOnly := &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly}
	shown := &types.Projection{ProjectionType: types.ProjectionTypeInclude, NonKeyAttributes: []string{attrStatus, attrWorkflow, attrUnknownReads}}
	return &dynamodb.CreateTableInput{
		TableName: aws.String(name), BillingMode: types.BillingModePayPerRequest, KeySchema: keys(PartitionKey, SortKey),
		AttributeDefinitions: []types.AttributeDefinition{
			attribute(PartitionKey, types.ScalarAttributeTypeS), attribute(SortKey, types.ScalarAttributeTypeS),
			attribute(OwnerPartitionKey, types.ScalarAttributeTypeS), attribute(OwnerSortKey, types.ScalarAttributeTypeN),
			attribute(DuePartitionKey, types.ScalarAttributeTypeS), attribute(DueSortKey, types.ScalarAttributeTypeN),
		},
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{
			index(OwnerIndex, OwnerPartitionKey, OwnerSortKey, shown), index(DueIndex, DuePartitionKey, DueSortKey, keysOnly)},
	}
}

package dynamodb

import (
	"encoding/json"
	"fmt"
	"strings"

	"didit-sessions/internal/awsfake"
)

// Limits of keys and items, in bytes (Amazon DynamoDB: Quotas).
const (
	maxPartitionKey = 2048
	maxSortKey      = 1024
	maxItem         = 400 << 10
)

// storedTable is a table with its items, by their keys.
type storedTable struct {
	name    string
	keys    keyNames
	indexes map[string]keyNames
	shown   map[string][]string // by an index, beside its keys
	types   map[string]string   // of the key attributes: S or N
	items   map[string]attributeMap

	withhold   bool // the last key of a BatchGetItem
	consistent int  // reads by GetItem
}

// keyNames are the names of a table's or an index's key attributes.
type keyNames struct{ partition, sort string }

func (k keyNames) names() []string { return []string{k.partition, k.sort} }

// CreateTable makes the table of a CreateTable request, JSON as in the SDK and the AWS CLI. It
// accepts only composite keys, and global indexes that project keys only or name what else they do.
func (d *Server) CreateTable(request []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, err := d.createTable(&awsfake.Request{Body: request})
	return err
}

type keyElement struct{ AttributeName, KeyType string }

type createRequest struct {
	TableName, BillingMode string
	AttributeDefinitions   []struct{ AttributeName, AttributeType string }
	KeySchema              []keyElement
	GlobalSecondaryIndexes []struct {
		IndexName  string
		KeySchema  []keyElement
		Projection struct {
			ProjectionType   string
			NonKeyAttributes []string
		}
	}
}

func (d *Server) createTable(r *awsfake.Request) (any, error) {
	var request createRequest
	if err := json.Unmarshal(r.Body, &request); err != nil {
		return nil, awsfake.Refuse(prefixService+"SerializationException", "")
	}
	if d.table != nil {
		return nil, awsfake.Refuse(prefixDynamoDB+"ResourceInUseException", "Table already exists: this fake has one table")
	}
	t := &storedTable{name: request.TableName, types: map[string]string{}, indexes: map[string]keyNames{}, shown: map[string][]string{}, items: map[string]attributeMap{}}
	for _, a := range request.AttributeDefinitions {
		t.types[a.AttributeName] = a.AttributeType
	}
	var err error
	if t.keys, err = t.schema(request.KeySchema); err != nil {
		return nil, err
	}
	used := map[string]bool{t.keys.partition: true, t.keys.sort: true}
	for _, index := range request.GlobalSecondaryIndexes {
		keys, err := t.schema(index.KeySchema)
		if err != nil {
			return nil, err
		}
		kind, shown := index.Projection.ProjectionType, index.Projection.NonKeyAttributes
		if kind != "KEYS_ONLY" && kind != "INCLUDE" || (kind == "INCLUDE") != (len(shown) > 0) {
			return nil, invalid("this fake has the projections KEYS_ONLY and INCLUDE only")
		}
		t.indexes[index.IndexName], t.shown[index.IndexName] = keys, shown
		used[keys.partition], used[keys.sort] = true, true
	}
	if t.name == "" || request.BillingMode != "PAY_PER_REQUEST" || len(used) != len(t.types) {
		return nil, invalid("One or more parameter values were invalid: a table needs a name, PAY_PER_REQUEST, and definitions of its key attributes and no others")
	}
	d.table = t
	return map[string]any{"TableDescription": map[string]any{"TableName": t.name, "TableStatus": "ACTIVE"}}, nil
}

func (t *storedTable) schema(elements []keyElement) (keyNames, error) {
	if len(elements) != 2 || elements[0].KeyType != "HASH" || elements[1].KeyType != "RANGE" {
		return keyNames{}, invalid("this fake has keys of HASH and RANGE only")
	}
	keys := keyNames{elements[0].AttributeName, elements[1].AttributeName}
	for _, name := range keys.names() {
		if kind := t.types[name]; kind != "S" && kind != "N" {
			return keys, invalid("One or more parameter values were invalid: key attribute " + name + " is not defined as S or N")
		}
	}
	return keys, nil
}

// is reports whether the table has the name or ARN.
func (t *storedTable) is(name string) bool {
	return name == t.name || strings.HasPrefix(name, "arn:") && strings.HasSuffix(name, ":table/"+t.name)
}

// keyOf returns the index in items for an item whose keys are valid.
func (t *storedTable) keyOf(item attributeMap) string {
	return fmt.Sprintf("%q %q", item[t.keys.partition].text, item[t.keys.sort].text)
}

// checkKey refuses anything but exactly a key of the table.
func (t *storedTable) checkKey(key attributeMap) error {
	for _, name := range t.keys.names() {
		if v, ok := key[name]; !ok || v.kind != t.types[name] || len(key) != 2 {
			return invalid("The provided key element does not match the schema")
		}
	}
	return t.checkKeyValues(t.keys, key, "")
}

// checkItem refuses an item that cannot be stored.
func (t *storedTable) checkItem(item attributeMap, tooLarge string) error {
	if err := t.checkKeyValues(t.keys, item, ""); err != nil {
		return err
	}
	for index, keys := range t.indexes {
		if err := t.checkKeyValues(keys, item, index); err != nil {
			return err
		}
	}
	if item.size() > maxItem {
		return invalid(tooLarge)
	}
	return nil
}

// checkKeyValues refuses key attributes of the wrong type, and empty and over-long strings. The
// index is empty for the table itself, which needs both attributes.
func (t *storedTable) checkKeyValues(keys keyNames, item attributeMap, index string) error {
	for name, limit := range map[string]int{keys.partition: maxPartitionKey, keys.sort: maxSortKey} {
		v, ok := item[name]
		switch {
		case !ok && index != "":
		case !ok:
			return invalid("One or more parameter values were invalid: Missing the key " + name + " in the item")
		case v.kind != t.types[name] && index != "":
			return invalid("One or more parameter values were invalid: Type mismatch for Index Key " + name + " Expected: " + t.types[name] + " Actual: " + v.kind + " IndexName: " + index)
		case v.kind != t.types[name]:
			return invalid("One or more parameter values were invalid: Type mismatch for key " + name + " expected: " + t.types[name] + " actual: " + v.kind)
		case v.kind == "S" && v.text == "" && index != "":
			return invalid("One or more parameter values are not valid. A value specified for a secondary index key is not supported. The AttributeValue for a key attribute cannot contain an empty string value. IndexName: " + index + ", IndexKey: " + name)
		case v.kind == "S" && v.text == "":
			return invalid("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: " + name)
		case v.kind == "S" && len(v.text) > limit:
			return invalid(fmt.Sprintf("One or more parameter values were invalid: Size of key %s has exceeded the maximum size limit of %d bytes", name, limit))
		}
	}
	return nil
}

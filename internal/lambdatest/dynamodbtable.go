package lambdatest

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Limits of keys and items, in bytes (Amazon DynamoDB: Quotas).
const (
	mostPartitionKey = 2048
	mostSortKey      = 1024
	mostItem         = 400 << 10
)

// dynamoTable is a table with its items, by their keys.
type dynamoTable struct {
	name    string
	keys    dynamoKeys
	indexes map[string]dynamoKeys
	types   map[string]string // of the key attributes: S or N
	items   map[string]dynamoItem
}

// dynamoKeys are the names of a table's or an index's key attributes.
type dynamoKeys struct{ partition, sort string }

func (k dynamoKeys) names() []string { return []string{k.partition, k.sort} }

// CreateTable makes the table that a CreateTable request describes, JSON, as the
// SDK and the AWS CLI take it. Only composite keys and global indexes of keys
// alone are known.
func (d *DynamoDB) CreateTable(request []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, err := d.createTable(request)
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
		Projection struct{ ProjectionType string }
	}
}

// createTable makes one table. The caller holds mu.
func (d *DynamoDB) createTable(body []byte) (any, error) {
	var request createRequest
	if err := json.Unmarshal(body, &request); err != nil {
		return nil, err
	}
	if d.table != nil {
		return nil, &dynamoRefusal{dynamoErrors + "ResourceInUseException", "Table already exists: this stand-in has room for one"}
	}
	t := &dynamoTable{name: request.TableName, types: map[string]string{}, indexes: map[string]dynamoKeys{}, items: map[string]dynamoItem{}}
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
		if index.Projection.ProjectionType != "KEYS_ONLY" {
			return nil, invalid("this stand-in knows the projection KEYS_ONLY alone")
		}
		t.indexes[index.IndexName] = keys
		used[keys.partition], used[keys.sort] = true, true
	}
	if t.name == "" || request.BillingMode != "PAY_PER_REQUEST" || len(used) != len(t.types) {
		return nil, invalid("One or more parameter values were invalid: a table needs a name, PAY_PER_REQUEST, and definitions of its key attributes and no others")
	}
	d.table = t
	return map[string]any{"TableDescription": map[string]any{"TableName": t.name, "TableStatus": "ACTIVE"}}, nil
}

func (t *dynamoTable) schema(elements []keyElement) (dynamoKeys, error) {
	if len(elements) != 2 || elements[0].KeyType != "HASH" || elements[1].KeyType != "RANGE" {
		return dynamoKeys{}, invalid("this stand-in knows keys of HASH and RANGE alone")
	}
	keys := dynamoKeys{elements[0].AttributeName, elements[1].AttributeName}
	for _, name := range keys.names() {
		if kind := t.types[name]; kind != "S" && kind != "N" {
			return keys, invalid("One or more parameter values were invalid: key attribute " + name + " is not defined as S or N")
		}
	}
	return keys, nil
}

// is reports whether the table goes by that name or ARN.
func (t *dynamoTable) is(name string) bool {
	return name == t.name || strings.HasPrefix(name, "arn:") && strings.HasSuffix(name, ":table/"+t.name)
}

// keyOf is the item's place. The item's keys are sound.
func (t *dynamoTable) keyOf(item dynamoItem) string {
	return fmt.Sprintf("%q %q", item[t.keys.partition].text, item[t.keys.sort].text)
}

// checkKey refuses what is not exactly a key of the table.
func (t *dynamoTable) checkKey(key dynamoItem) error {
	if len(key) != 2 {
		return invalid("The provided key element does not match the schema")
	}
	for _, name := range t.keys.names() {
		if v, ok := key[name]; !ok || v.kind != t.types[name] {
			return invalid("The provided key element does not match the schema")
		}
	}
	return t.checkKeyValues(t.keys, key, "")
}

// checkItem refuses an item that cannot be stored.
func (t *dynamoTable) checkItem(item dynamoItem, tooLarge string) error {
	for _, name := range t.keys.names() {
		v, ok := item[name]
		if !ok {
			return invalid("One or more parameter values were invalid: Missing the key " + name + " in the item")
		}
		if v.kind != t.types[name] {
			return invalid("One or more parameter values were invalid: Type mismatch for key " + name + " expected: " + t.types[name] + " actual: " + v.kind)
		}
	}
	if err := t.checkKeyValues(t.keys, item, ""); err != nil {
		return err
	}
	for index, keys := range t.indexes {
		for _, name := range keys.names() {
			if v, ok := item[name]; ok && v.kind != t.types[name] {
				return invalid("One or more parameter values were invalid: Type mismatch for Index Key " + name + " Expected: " + t.types[name] + " Actual: " + v.kind + " IndexName: " + index)
			}
		}
		if err := t.checkKeyValues(keys, item, index); err != nil {
			return err
		}
	}
	if item.size() > mostItem {
		return invalid(tooLarge)
	}
	return nil
}

// checkKeyValues refuses empty and over-long strings; the index is empty for the table itself. What
// is not there is not looked at.
func (t *dynamoTable) checkKeyValues(keys dynamoKeys, item dynamoItem, index string) error {
	for name, most := range map[string]int{keys.partition: mostPartitionKey, keys.sort: mostSortKey} {
		v, ok := item[name]
		if !ok || v.kind != "S" {
			continue
		}
		switch {
		case v.text == "" && index != "":
			return invalid("One or more parameter values are not valid. A value specified for a secondary index key is not supported. The AttributeValue for a key attribute cannot contain an empty string value. IndexName: " + index + ", IndexKey: " + name)
		case v.text == "":
			return invalid("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: " + name)
		case len(v.text) > most:
			return invalid(fmt.Sprintf("One or more parameter values were invalid: Size of key %s has exceeded the maximum size limit of %d bytes", name, most))
		}
	}
	return nil
}

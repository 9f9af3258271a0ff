package dynamodb

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

const maxPage = 1 << 20 // bytes that a Query reads

type queryRequest struct {
	tableRequest
	placeholders
	KeyConditionExpression string
	IndexName              string
	ExclusiveStartKey      attributeMap
	Limit                  *int
	ConsistentRead         bool
	ScanIndexForward       *bool
}

// keyTerm is a comparison in a key condition.
type keyTerm struct {
	name, operator string // the operator may be begins_with
	value          attributeValue
}

func (term keyTerm) holds(v attributeValue) bool {
	if term.operator == "begins_with" {
		return strings.HasPrefix(v.text, term.value.text)
	}
	return holds(term.operator, v, term.value)
}

func (t *storedTable) query(r *queryRequest) (any, error) {
	keys, err := r.check(t)
	if err != nil {
		return nil, err
	}
	terms, err := r.keyTerms(t, keys)
	if err != nil {
		return nil, err
	}
	items := t.matching(keys, terms, r.forward())
	if start := r.ExclusiveStartKey; start != nil {
		// By order, because the item of the key may have been deleted.
		items = slices.DeleteFunc(items, func(item attributeMap) bool {
			order := t.order(keys, item, start)
			return order == 0 || (order > 0) != r.forward()
		})
	}
	return t.page(items, keys, r), nil
}

// check refuses invalid parameters and returns the keys of the table or the index.
func (r *queryRequest) check(t *storedTable) (keyNames, error) {
	keys, ok := t.keys, true
	if r.IndexName != "" {
		keys, ok = t.indexes[r.IndexName]
	}
	switch {
	case !ok:
		return keys, invalid("The table does not have the specified index: " + r.IndexName)
	case r.IndexName != "" && r.ConsistentRead:
		return keys, invalid("Consistent reads are not supported on global secondary indexes")
	case r.Limit != nil && *r.Limit < 1:
		return keys, invalid("1 validation error detected: Value at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1")
	}
	if start := r.ExclusiveStartKey; start != nil {
		for _, name := range slices.Concat(keys.names(), t.keys.names()) {
			if v, ok := start[name]; !ok || v.kind != t.types[name] {
				return keys, invalid("The provided starting key is invalid")
			}
		}
	}
	return keys, nil
}

func (r *queryRequest) forward() bool { return r.ScanIndexForward == nil || *r.ScanIndexForward }

// keyTerms parses the key condition: the partition key equals a value, and optionally a comparison
// with the sort key.
func (r *queryRequest) keyTerms(t *storedTable, keys keyNames) ([]keyTerm, error) {
	p := r.parse("KeyConditionExpression", r.KeyConditionExpression)
	var terms []keyTerm
	for more := true; more; more = p.accept("AND") {
		terms = append(terms, p.keyTerm())
	}
	if err := cmp.Or(p.finish(), r.checkUsed()); err != nil {
		return nil, err
	}
	slices.SortFunc(terms, func(a, b keyTerm) int {
		return cmp.Compare(slices.Index(keys.names(), a.name), slices.Index(keys.names(), b.name))
	})
	for i, term := range terms {
		switch {
		case i >= 2 || term.name != keys.names()[i]:
			return nil, invalid("Query condition missed key schema element: " + keys.names()[min(i, 1)])
		case i == 0 && term.operator != "=" || term.operator == "<>":
			return nil, invalid("Query key condition not supported")
		case term.value.kind != t.types[term.name]:
			return nil, invalid("One or more parameter values were invalid: Condition parameter type does not match schema type")
		case term.value.kind == "S" && term.value.text == "":
			return nil, invalid("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: " + term.name)
		}
	}
	return terms, nil
}

func (p *expressionParser) keyTerm() (term keyTerm) {
	if !p.isCall() {
		return keyTerm{p.path(), p.operator(), p.literal()}
	}
	term.operator = p.next()
	if term.operator != "begins_with" {
		p.fail("Invalid function name; function: " + term.operator)
	}
	p.expect("(")
	term.name = p.path()
	p.expect(",")
	term.value = p.literal()
	p.expect(")")
	return term
}

// matching returns the items for which the terms hold, in the order of the sort key. An item that
// lacks a key of an index is not in the index.
func (t *storedTable) matching(keys keyNames, terms []keyTerm, forward bool) []attributeMap {
	var found []attributeMap
	for _, item := range t.items {
		_, hasPartition := item[keys.partition]
		_, hasSort := item[keys.sort]
		if hasPartition && hasSort && !slices.ContainsFunc(terms, func(term keyTerm) bool { return !term.holds(item[term.name]) }) {
			found = append(found, item)
		}
	}
	slices.SortFunc(found, func(a, b attributeMap) int { return t.order(keys, a, b) })
	if !forward {
		slices.Reverse(found)
	}
	return found
}

// order compares by the sort key, and then by the table's own keys.
func (t *storedTable) order(keys keyNames, a, b attributeMap) int {
	order, _ := a[keys.sort].compare(b[keys.sort])
	return cmp.Or(order, cmp.Compare(t.keyOf(a), t.keyOf(b)))
}

// page returns the answer with as many items as fit.
func (t *storedTable) page(items []attributeMap, keys keyNames, r *queryRequest) any {
	answer := map[string]any{}
	shown, bytes := []attributeMap{}, 0
	for i, item := range items {
		place := make(attributeMap)
		for _, name := range slices.Concat(keys.names(), t.keys.names()) {
			place[name] = item[name]
		}
		if r.IndexName != "" {
			projected := maps.Clone(place)
			for _, name := range t.shown[r.IndexName] {
				if v, ok := item[name]; ok {
					projected[name] = v
				}
			}
			item = projected
		}
		shown, bytes = append(shown, item), bytes+item.size()
		full := r.Limit != nil && len(shown) == *r.Limit
		// At the limit DynamoDB does not check whether there are more items.
		if full || bytes > maxPage && i < len(items)-1 {
			answer["LastEvaluatedKey"] = place
			break
		}
	}
	answer["Items"], answer["Count"], answer["ScannedCount"] = shown, len(shown), len(shown)
	return answer
}

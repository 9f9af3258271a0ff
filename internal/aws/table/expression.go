package table

import (
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// expression builds an update and its condition. It uses a placeholder for every attribute, because
// DynamoDB reserves hundreds of words. The zero value is ready to use.
type expression struct {
	names     map[string]string
	values    map[string]types.AttributeValue
	sets      []string
	removes   []string
	condition string
}

// set sets the attribute.
func (e *expression) set(attribute string, v types.AttributeValue) {
	e.sets = append(e.sets, e.name(attribute)+" = "+e.value(attribute, v))
}

// setIfMissing sets the attribute if the row lacks it.
func (e *expression) setIfMissing(attribute string, v types.AttributeValue) {
	name := e.name(attribute)
	e.sets = append(e.sets, name+" = if_not_exists("+name+", "+e.value(attribute, v)+")")
}

// increment adds one to the attribute, or to start if the row lacks it.
func (e *expression) increment(attribute string, start int64) {
	name := e.name(attribute)
	e.sets = append(e.sets, name+" = if_not_exists("+name+", "+e.value("start_"+attribute, number(start))+") + "+e.value("one", number(1)))
}

// remove removes the attribute.
func (e *expression) remove(attribute string) {
	e.removes = append(e.removes, e.name(attribute))
}

// requireLive sets the condition that the row is missing or has not expired.
func (e *expression) requireLive(now time.Time) {
	name := e.name(ExpiryAttribute)
	e.condition = "(attribute_not_exists(" + name + ") OR " + name + " > " + e.value("now", number(now.Unix())) + ")"
}

// requireKept adds to the condition that the row is not that of an erased session.
func (e *expression) requireKept() {
	e.condition += " AND attribute_not_exists(" + e.name(attrErased) + ")"
}

// requireExpired sets the condition that the row has expired.
func (e *expression) requireExpired(now time.Time) {
	e.condition = e.name(ExpiryAttribute) + " <= " + e.value("now", number(now.Unix()))
}

// requireVersion sets the condition that the row has the version, has not expired and is not that
// of an erased session. A missing attribute never equals a value, so a missing row fails.
func (e *expression) requireVersion(version int64, now time.Time) {
	e.requireLive(now)
	e.condition += " AND " + e.name(attrVersion) + " = " + e.value("read", number(version))
	e.requireKept()
}

func (e *expression) name(attribute string) string {
	if e.names == nil {
		e.names = make(map[string]string)
	}
	e.names["#"+attribute] = attribute
	return "#" + attribute
}

func (e *expression) value(name string, v types.AttributeValue) string {
	if e.values == nil {
		e.values = make(map[string]types.AttributeValue)
	}
	e.values[":"+name] = v
	return ":" + name
}

// update returns the update expression.
func (e *expression) update() string {
	var clauses []string
	if len(e.sets) > 0 {
		clauses = append(clauses, "SET "+strings.Join(e.sets, ", "))
	}
	if len(e.removes) > 0 {
		clauses = append(clauses, "REMOVE "+strings.Join(e.removes, ", "))
	}
	return strings.Join(clauses, " ")
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

func boolean(b bool) types.AttributeValue { return &types.AttributeValueMemberBOOL{Value: b} }

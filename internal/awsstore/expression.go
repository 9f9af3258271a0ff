package awsstore

import (
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// expression collects what a write does, and on what condition. Attributes get placeholders always,
// because DynamoDB reserves hundreds of words. The zero value is ready to use.
type expression struct {
	names     map[string]string
	values    map[string]types.AttributeValue
	sets      []string
	removes   []string
	condition string
}

// set writes the attribute, whatever it was.
func (e *expression) set(attribute string, v types.AttributeValue) {
	e.sets = append(e.sets, e.name(attribute)+" = "+e.value(attribute, v))
}

// keep writes the attribute if it is not there yet.
func (e *expression) keep(attribute string, v types.AttributeValue) {
	name := e.name(attribute)
	e.sets = append(e.sets, name+" = if_not_exists("+name+", "+e.value(attribute, v)+")")
}

// count raises the attribute by one, from start if it is not there yet.
func (e *expression) count(attribute string, start int64) {
	name := e.name(attribute)
	e.sets = append(e.sets, name+" = if_not_exists("+name+", "+e.value("start", number(start))+") + "+e.value("one", number(1)))
}

// remove takes the attribute away.
func (e *expression) remove(attribute string) {
	e.removes = append(e.removes, e.name(attribute))
}

// live is the condition that the row is not there or has not expired.
func (e *expression) live(now time.Time) {
	name := e.name(ExpiryAttribute)
	e.condition = "(attribute_not_exists(" + name + ") OR " + name + " > " + e.value("now", number(now.Unix())) + ")"
}

// dead is the condition that the row has expired.
func (e *expression) dead(now time.Time) {
	e.condition = e.name(ExpiryAttribute) + " <= " + e.value("now", number(now.Unix()))
}

// latest is the condition that the row is there in that version. What is not there equals nothing.
func (e *expression) latest(version int64, now time.Time) {
	e.live(now)
	e.condition += " AND " + e.name(attrVersion) + " = " + e.value("read", number(version))
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

// update is the update expression.
func (e *expression) update() string {
	text := "SET " + strings.Join(e.sets, ", ")
	if len(e.removes) > 0 {
		text += " REMOVE " + strings.Join(e.removes, ", ")
	}
	return text
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

func boolean(b bool) types.AttributeValue { return &types.AttributeValueMemberBOOL{Value: b} }

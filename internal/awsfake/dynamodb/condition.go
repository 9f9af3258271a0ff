package dynamodb

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
)

// conditionExpr reports whether a condition holds for an item.
type conditionExpr func(attributeMap) bool

// operandExpr is an attribute or a literal.
type operandExpr struct {
	path    string // empty: a literal
	literal attributeValue
}

func (o operandExpr) in(item attributeMap) (attributeValue, bool) {
	if o.path == "" {
		return o.literal, true
	}
	v, ok := item[o.path]
	return v, ok
}

// condition parses the condition, which must be the last expression of a request: it also refuses
// placeholders that were not used. Without an expression the condition always holds.
func (r *conditionalRequest) condition() (conditionExpr, error) {
	if r.ConditionExpression == nil {
		return func(attributeMap) bool { return true }, r.checkUsed()
	}
	p := r.parse("ConditionExpression", *r.ConditionExpression)
	c := p.or()
	return c, cmp.Or(p.finish(), r.checkUsed())
}

func (p *expressionParser) or() conditionExpr {
	left := p.and()
	for p.accept("OR") {
		first, second := left, p.and()
		left = func(item attributeMap) bool { return first(item) || second(item) }
	}
	return left
}

func (p *expressionParser) and() conditionExpr {
	left := p.term()
	for p.accept("AND") {
		first, second := left, p.term()
		left = func(item attributeMap) bool { return first(item) && second(item) }
	}
	return left
}

func (p *expressionParser) term() conditionExpr {
	switch {
	case p.accept("NOT"):
		inner := p.term()
		return func(item attributeMap) bool { return !inner(item) }
	case p.accept("("):
		inner := p.or()
		p.expect(")")
		return inner
	case p.isCall():
		return p.existence()
	}
	return p.comparison()
}

func (p *expressionParser) existence() conditionExpr {
	name := p.next()
	if name != "attribute_exists" && name != "attribute_not_exists" {
		p.fail("Invalid function name; function: " + name)
	}
	p.expect("(")
	path := p.path()
	p.expect(")")
	return func(item attributeMap) bool {
		_, exists := item[path]
		return exists == (name == "attribute_exists")
	}
}

func (p *expressionParser) comparison() conditionExpr {
	left := p.operand()
	operator := p.operator()
	right := p.operand()
	for _, o := range []operandExpr{left, right} {
		_, ordered := o.literal.compare(o.literal)
		if p.err == nil && o.path == "" && operator != "=" && operator != "<>" && !ordered {
			p.fail("Incorrect operand type for operator or function; operator or function: " + operator + ", operand type: " + o.literal.kind)
		}
	}
	return func(item attributeMap) bool {
		a, okA := left.in(item)
		b, okB := right.in(item)
		if !okA || !okB {
			return operator == "<>" && okA != okB
		}
		return holds(operator, a, b)
	}
}

// orders are the results of compare for which an operator holds.
var orders = map[string][]int{"<": {-1}, "<=": {-1, 0}, ">": {1}, ">=": {0, 1}}

// holds reports whether the comparison is true. Values of different types are not equal, and have
// no order.
func holds(operator string, a, b attributeValue) bool {
	switch operator {
	case "=":
		return reflect.DeepEqual(a, b)
	case "<>":
		return !reflect.DeepEqual(a, b)
	}
	order, ok := a.compare(b)
	return ok && slices.Contains(orders[operator], order)
}

func (p *expressionParser) operator() string {
	token := p.next()
	if token != "=" && token != "<>" && orders[token] == nil {
		p.fail("Syntax error; token: \"" + token + "\"")
	}
	return token
}

func (p *expressionParser) operand() operandExpr {
	if strings.HasPrefix(p.peek(), ":") {
		return operandExpr{literal: p.literal()}
	}
	return operandExpr{path: p.path()}
}

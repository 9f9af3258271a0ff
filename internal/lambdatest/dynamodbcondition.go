package lambdatest

import "strings"

// dynamoCondition tells whether an item fulfils a condition expression.
type dynamoCondition func(dynamoItem) bool

// dynamoOperand is an attribute or a literal.
type dynamoOperand struct {
	path    string // empty: a literal
	literal dynamoValue
}

func (o dynamoOperand) in(item dynamoItem) (dynamoValue, bool) {
	if o.path == "" {
		return o.literal, true
	}
	v, ok := item[o.path]
	return v, ok
}

// condition reads an expression; without one, every item will do.
func (s *dynamoScope) condition(text *string) (dynamoCondition, error) {
	if text == nil {
		return func(dynamoItem) bool { return true }, nil
	}
	p := s.parse("ConditionExpression", *text)
	c := p.or()
	return c, p.finish()
}

func (p *dynamoParser) or() dynamoCondition {
	left := p.and()
	for p.accept("OR") {
		first, second := left, p.and()
		left = func(item dynamoItem) bool { return first(item) || second(item) }
	}
	return left
}

func (p *dynamoParser) and() dynamoCondition {
	left := p.not()
	for p.accept("AND") {
		first, second := left, p.not()
		left = func(item dynamoItem) bool { return first(item) && second(item) }
	}
	return left
}

func (p *dynamoParser) not() dynamoCondition {
	if p.accept("NOT") {
		inner := p.not()
		return func(item dynamoItem) bool { return !inner(item) }
	}
	if p.accept("(") {
		inner := p.or()
		p.expect(")")
		return inner
	}
	if len(p.tokens) > 1 && p.tokens[1] == "(" {
		return p.function()
	}
	return p.comparison()
}

func (p *dynamoParser) function() dynamoCondition {
	name := p.next()
	p.expect("(")
	path := p.path()
	var prefix dynamoValue
	switch name {
	case "attribute_exists", "attribute_not_exists":
	case "begins_with":
		p.expect(",")
		if prefix = p.literal(); p.err == nil && prefix.kind != "S" {
			p.fail("Incorrect operand type for operator or function; operator or function: begins_with, operand type: " + prefix.kind)
		}
	default:
		p.fail("Invalid function name; function: " + name)
	}
	p.expect(")")
	return func(item dynamoItem) bool {
		v, ok := item[path]
		switch name {
		case "attribute_exists":
			return ok
		case "attribute_not_exists":
			return !ok
		}
		return ok && v.kind == "S" && strings.HasPrefix(v.text, prefix.text)
	}
}

func (p *dynamoParser) comparison() dynamoCondition {
	left := p.operand()
	operator := p.operator()
	right := p.operand()
	for _, o := range []dynamoOperand{left, right} {
		_, ordered := o.literal.compare(o.literal)
		if p.err == nil && o.path == "" && operator != "=" && operator != "<>" && !ordered {
			p.fail("Incorrect operand type for operator or function; operator or function: " + operator + ", operand type: " + o.literal.kind)
		}
	}
	return func(item dynamoItem) bool {
		a, okA := left.in(item)
		b, okB := right.in(item)
		if !okA || !okB {
			return operator == "<>" && okA != okB
		}
		return holds(operator, a, b)
	}
}

// holds reports whether the comparison is true. Values of two kinds are different, and neither is
// the greater.
func holds(operator string, a, b dynamoValue) bool {
	switch operator {
	case "=":
		return a.equal(b)
	case "<>":
		return !a.equal(b)
	}
	order, ok := a.compare(b)
	switch operator {
	case "<":
		return ok && order < 0
	case "<=":
		return ok && order <= 0
	case ">":
		return ok && order > 0
	}
	return ok && order >= 0
}

func (p *dynamoParser) operator() string {
	token := p.next()
	switch token {
	case "=", "<>", "<", "<=", ">", ">=":
	default:
		p.fail("Syntax error; token: \"" + token + "\"")
	}
	return token
}

func (p *dynamoParser) operand() dynamoOperand {
	if strings.HasPrefix(p.peek(), ":") {
		return dynamoOperand{literal: p.literal()}
	}
	return dynamoOperand{path: p.path()}
}

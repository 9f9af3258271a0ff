package watch

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// definitions are the parts of template.yaml that this package plays CloudWatch with. Intrinsic
// functions of one argument are that argument.
type definitions struct {
	Resources map[string]struct {
		Type       string
		Properties json.RawMessage
	}
}

type dimension struct{ Name, Value string }

type metricName struct {
	Namespace, MetricName string
	Dimensions            []dimension
}

type alarm struct {
	metricName
	Statistic string
	Extended  string `json:"ExtendedStatistic"`
	Threshold float64
	Missing   string `json:"TreatMissingData"`
	Metrics   []struct {
		ID         string `json:"Id"`
		Expression string
		MetricStat struct {
			Metric metricName
			Stat   string
		}
	}
}

type filter struct {
	LogGroupName, FilterPattern string
	MetricTransformations       []struct{ MetricNamespace, MetricName, MetricValue string }
}

// cloudWatch keeps the values of metrics, by their names and dimensions, of one period.
type cloudWatch struct {
	alarms  map[string]alarm
	filters map[string]filter
	values  map[string][]float64
}

func newCloudWatch(t *testing.T) *cloudWatch {
	t.Helper()
	text, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var document any
	var d definitions
	if err := yaml.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	if text, err = json.Marshal(document); err == nil {
		err = json.Unmarshal(text, &d)
	}
	if err != nil {
		t.Fatal(err)
	}
	cw := &cloudWatch{alarms: map[string]alarm{}, filters: map[string]filter{}, values: map[string][]float64{}}
	for id, resource := range d.Resources {
		switch resource.Type {
		case "AWS::CloudWatch::Alarm":
			var a alarm
			if err := json.Unmarshal(resource.Properties, &a); err != nil {
				t.Fatal(id, err)
			}
			cw.alarms[strings.TrimSuffix(id, "Alarm")] = a
		case "AWS::Logs::MetricFilter":
			var f filter
			if err := json.Unmarshal(resource.Properties, &f); err != nil {
				t.Fatal(id, err)
			}
			cw.filters[id] = f
		}
	}
	return cw
}

func key(namespace, name string, dimensions []dimension) string {
	text := strings.ReplaceAll(namespace, "${AWS::StackName}", stack) + " " + name
	sorted := slices.SortedFunc(slices.Values(dimensions), func(a, b dimension) int { return strings.Compare(a.Name, b.Name) })
	for _, d := range sorted {
		text += " " + d.Name + "=" + d.Value
	}
	return text
}

func (cw *cloudWatch) add(key string, value float64) { cw.values[key] = append(cw.values[key], value) }

// log takes a line of a log group, by its logical id.
func (cw *cloudWatch) log(t *testing.T, group, line string) {
	t.Helper()
	var values map[string]any
	var embedded struct {
		Metadata struct {
			CloudWatchMetrics []struct {
				Namespace  string
				Dimensions [][]string
				Metrics    []struct{ Name, Unit string }
			}
		} `json:"_aws"`
	}
	if err := json.Unmarshal([]byte(line), &values); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	if err := json.Unmarshal([]byte(line), &embedded); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	for _, d := range embedded.Metadata.CloudWatchMetrics {
		for _, names := range d.Dimensions {
			var dimensions []dimension
			for _, name := range names {
				dimensions = append(dimensions, dimension{name, fmt.Sprint(values[name])})
			}
			for _, m := range d.Metrics {
				cw.add(key(d.Namespace, m.Name, dimensions), values[m.Name].(float64))
			}
		}
	}
	for id, f := range cw.filters {
		if f.LogGroupName == group && matches(t, f.FilterPattern, values) {
			m := f.MetricTransformations[0]
			value, err := strconv.ParseFloat(m.MetricValue, 64)
			if err != nil || len(f.MetricTransformations) != 1 {
				t.Fatalf("%s: %v", id, f)
			}
			cw.add(key(m.MetricNamespace, m.MetricName, nil), value)
		}
	}
}

var comparison = regexp.MustCompile(`\$\.([\w.]+) (=|!=|>) ("[^"]*"|\d+)`)

// matches reports whether a line matches a filter pattern (CloudWatch Logs: filter pattern syntax)
// of the form that this module uses: comparisons with numbers, and with strings that may have a *
// at the end. A field that the line does not have matches nothing.
func matches(t *testing.T, pattern string, line map[string]any) bool {
	t.Helper()
	text := comparison.ReplaceAllString(strings.Trim(pattern, "{} "), `is("$1", "$2", $3)`)
	return evaluate(t, text, func(_ string, arguments []any) any {
		var value any = line
		for name := range strings.SplitSeq(arguments[0].(string), ".") {
			members, _ := value.(map[string]any)
			value = members[name]
		}
		if value == nil {
			return false
		}
		if limit, ok := arguments[2].(float64); ok {
			got, _ := value.(float64)
			return got > limit
		}
		prefix, open := strings.CutSuffix(arguments[2].(string), "*")
		equal := value == prefix || open && strings.HasPrefix(fmt.Sprint(value), prefix)
		return equal == (arguments[1] == "=")
	}, nil).(bool)
}

// rings reports whether the alarm is in the state ALARM.
func (cw *cloudWatch) rings(t *testing.T, name string) bool {
	t.Helper()
	a, ok := cw.alarms[name]
	if !ok {
		t.Fatalf("there is no alarm %s", name)
	}
	value := cw.statistic(t, a.metricName, a.Statistic+a.Extended)
	if len(a.Metrics) > 0 {
		series := map[string]any{}
		for _, m := range a.Metrics[1:] {
			series[m.ID] = cw.statistic(t, m.MetricStat.Metric, m.MetricStat.Stat)
		}
		value = evaluate(t, strings.NewReplacer(" AND ", " && ", " OR ", " || ").Replace(a.Metrics[0].Expression), metricMath, series)
	}
	if value == nil {
		return a.Missing == "breaching"
	}
	return value.(float64) > a.Threshold
}

// statistic returns a number, or nil if there is no value.
func (cw *cloudWatch) statistic(t *testing.T, m metricName, statistic string) any {
	t.Helper()
	values := cw.values[key(m.Namespace, m.MetricName, m.Dimensions)]
	if len(values) == 0 {
		return nil
	}
	switch sum := 0.0; statistic {
	case "Sum":
		for _, v := range values {
			sum += v
		}
		return sum
	case "Minimum":
		return slices.Min(values)
	case "Maximum", "p99": // of few values
		return slices.Max(values)
	}
	t.Fatalf("the statistic %s is not played here", statistic)
	return nil
}

// metricMath are the functions of CloudWatch's metric math that the alarms use. nil is a missing
// value.
func metricMath(name string, arguments []any) any {
	switch name {
	case "IF":
		switch arguments[0] {
		case true:
			return arguments[1]
		case false:
			return arguments[2]
		}
		return nil
	case "FILL":
		if arguments[0] == nil {
			return arguments[1]
		}
		return arguments[0]
	}
	panic(name)
}

// evaluate evaluates an expression. What depends on a missing value is missing.
func evaluate(t *testing.T, text string, call func(name string, arguments []any) any, names map[string]any) any {
	t.Helper()
	expression, err := parser.ParseExpr(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	var value func(e ast.Expr) any
	value = func(e ast.Expr) any {
		switch e := e.(type) {
		case *ast.ParenExpr:
			return value(e.X)
		case *ast.Ident:
			if v, ok := names[e.Name]; ok {
				return v
			}
		case *ast.BasicLit:
			if e.Kind == token.STRING {
				s, _ := strconv.Unquote(e.Value)
				return s
			}
			n, err := strconv.ParseFloat(e.Value, 64)
			if err == nil {
				return n
			}
		case *ast.CallExpr:
			var arguments []any
			for _, a := range e.Args {
				arguments = append(arguments, value(a))
			}
			return call(e.Fun.(*ast.Ident).Name, arguments)
		case *ast.BinaryExpr:
			return binary(e.Op, value(e.X), value(e.Y))
		}
		t.Fatalf("%s is not understood here", text)
		return nil
	}
	return value(expression)
}

func binary(op token.Token, x, y any) any {
	if x == nil || y == nil {
		return nil
	}
	if a, ok := x.(bool); ok {
		if op == token.LAND {
			return a && y.(bool)
		}
		return a || y.(bool)
	}
	a, b := x.(float64), y.(float64)
	switch op {
	case token.GTR:
		return a > b
	case token.GEQ:
		return a >= b
	case token.LSS:
		return a < b
	case token.ADD:
		return a + b
	case token.QUO:
		return a / b
	}
	return math.NaN()
}

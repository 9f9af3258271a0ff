package repotest

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// unreachable are calls that the analysis finds and that are never made, with the reason.
var unreachable = map[[2]string]string{
	{"getsession", "dynamodb:Query SessionsTable"}:      "its Tracker has no Tasks and returns before it reads tokens",
	{"getsession", "dynamodb:DeleteItem SessionsTable"}: "its Tracker has no Tasks and returns before it removes tokens",
}

// Ensure that each function may do what its code does, on the resources that it is given, and
// nothing else. What the code does is read from the code: see [program].
func TestTemplateRights(t *testing.T) {
	t.Parallel()
	tm := parseTemplate(t)
	code := loadProgram(t)
	excused := map[[2]string]bool{}
	for _, directory := range functions(t) {
		id, properties := tm.function(t, directory)
		var want []string
		calls := code.calls(t, directory)
		for _, call := range calls {
			key := [2]string{directory, call.String()}
			if unreachable[key] != "" {
				excused[key] = true
				continue
			}
			want = append(want, tm.right(t, properties, directory, call)...)
		}
		want = append(want, tm.standing(t, properties)...)
		slices.Sort(want)
		want = slices.Compact(want)
		got := tm.rights(t, id, properties)
		for _, right := range want {
			if !slices.Contains(got, right) {
				t.Errorf("%s may not do what its code does: %s", id, right)
			}
		}
		for _, right := range got {
			if !slices.Contains(want, right) {
				t.Errorf("%s may do what its code never does: %s", id, right)
			}
		}
	}
	for key, because := range unreachable {
		if !excused[key] {
			t.Errorf("%q is listed as never made (%s), but the code does not have it", key, because)
		}
	}
}

// Ensure that only the functions that publish may publish, whatever else the account's policies
// allow.
func TestTemplatePublishers(t *testing.T) {
	t.Parallel()
	tm := parseTemplate(t)
	var publishers []string
	for _, directory := range functions(t) {
		id, properties := tm.function(t, directory)
		if slices.ContainsFunc(tm.rights(t, id, properties), func(right string) bool { return strings.HasPrefix(right, "events:PutEvents ") }) {
			publishers = append(publishers, at(properties, "Role|Fn::GetAtt").(string))
		}
	}
	statement := at(tm.resources, "EventBusPolicy|Properties|Statement")
	listed := strs(nil)
	for _, arn := range many(at(statement, "Condition|ArnNotEquals|aws:PrincipalArn")) {
		// A role that is there on request is listed on the same condition.
		if choice := many(at(arn, "Fn::If")); len(choice) == 3 {
			role, _, _ := strings.Cut(at(choice[1], "Fn::GetAtt").(string), ".")
			same(t, "condition on which "+role+" may publish", strs(choice[0]), strs(at(tm.resources, role+"|Condition")))
			arn = choice[1]
		}
		listed = append(listed, at(arn, "Fn::GetAtt").(string))
	}
	slices.Sort(publishers)
	slices.Sort(listed)
	same(t, "roles that the policy of the bus excepts", listed, publishers)
}

// right returns what a role needs for a call, in the form of [template.rights].
func (tm *template) right(t *testing.T, properties object, directory string, c call) []string {
	t.Helper()
	variables := at(properties, "Environment|Variables")
	switch c.service {
	case "secretsmanager":
		var rights []string
		_ = loaders[directory](func(variable string) string {
			if strings.HasSuffix(variable, "SECRET_ID") {
				secret := at(variables, variable)
				rights = append(rights, right("secretsmanager:"+c.operation, secret, nil, ""))
				rights = append(rights, tm.decrypt(t, secret))
			}
			return ""
		})
		if len(rights) == 0 {
			t.Errorf("%s reads a secret, but its configuration names none", directory)
		}
		return rights
	case "dynamodb":
		table, ok := at(variables, "TABLE_NAME|Fn::If|1|Ref").(string)
		if !ok {
			t.Errorf("%s uses a table that it is not given", directory)
		}
		switch c.index {
		case sharedToken:
			return []string{right("dynamodb:"+c.operation, tableARN(object{"Fn::GetAtt": table + ".Arn"}, ""), leadingKeys("ForAnyValue:StringLike"), "")}
		case "":
			// No other function, and no other operation, comes to the shared token.
			return []string{right("dynamodb:"+c.operation, tableARN(object{"Fn::GetAtt": table + ".Arn"}, ""), leadingKeys("ForAllValues:StringNotLike"), "")}
		default:
			return []string{right("dynamodb:"+c.operation, tableARN(object{"Fn::Sub": "${" + table + ".Arn}/index/" + c.index}, "/index/"+c.index), nil, "")}
		}
	case "eventbridge":
		bus, ok := at(variables, "EVENT_BUS_NAME|Ref").(string)
		if !ok {
			t.Errorf("%s publishes on a bus that it is not given", directory)
		}
		return []string{right("events:"+c.operation, object{"Fn::GetAtt": bus + ".Arn"}, nil, "")}
	case "sfn":
		keys, states := object{"Fn::Split": []any{",", object{"Ref": "TaskKmsKeyArns"}}}, viaService("states")
		return []string{
			right("states:"+c.operation, object{"Fn::Sub": "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:stateMachine:*"}, nil, ""),
			right("kms:Decrypt", keys, states, "TaskKeys"), right("kms:GenerateDataKey", keys, states, "TaskKeys"),
		}
	}
	t.Errorf("%s calls %s: which right it needs is not said here", directory, c)
	return nil
}

// standing returns what a role needs for things that Lambda does in the function's name.
func (tm *template) standing(t *testing.T, properties object) []string {
	t.Helper()
	group := object{"Fn::GetAtt": at(properties, "LoggingConfig|LogGroup|Ref").(string) + ".Arn"}
	rights := []string{right("logs:CreateLogStream", group, nil, ""), right("logs:PutLogEvents", group, nil, "")}
	if destination := at(properties, "EventInvokeConfig|DestinationConfig|OnFailure|Destination"); destination != nil {
		rights = append(rights, right("sqs:SendMessage", destination, nil, ""))
	}
	return rights
}

// decrypt returns the right to decrypt a secret with the key that the template creates it with.
func (tm *template) decrypt(t *testing.T, secret any) string {
	t.Helper()
	id, ok := at(secret, "Fn::If|1|Ref").(string)
	if !ok {
		t.Fatalf("%s is not a secret of the stack or an existing one", canonical(secret))
	}
	key := at(tm.resources, id+"|Properties|KmsKeyId")
	condition, _ := at(key, "Fn::If|0").(string)
	return right("kms:Decrypt", at(key, "Fn::If|1"), viaService("secretsmanager"), condition)
}

// tableARN is the ARN of the table, or of its index: the stack's own or that of an existing one.
func tableARN(own object, index string) object {
	existing := "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${ExistingTableName}" + index
	return object{"Fn::If": []any{"CreateTable", own, object{"Fn::Sub": existing}}}
}

// leadingKeys is a condition about the partition keys of a request: that of the shared token.
func leadingKeys(operator string) any {
	return object{operator: object{"dynamodb:LeadingKeys": "TOKEN#*"}}
}

func viaService(name string) any {
	return object{"StringEquals": object{"kms:ViaService": object{"Fn::Sub": name + ".${AWS::Region}.amazonaws.com"}}}
}

// right is a right as text: the action, the resource, the condition that is asked at a call, and
// the condition of the template under which it is given at all.
func right(action string, resource, condition any, when string) string {
	text := action + " on " + canonical(resource)
	if condition != nil {
		text += " if " + canonical(condition)
	}
	if when != "" {
		text += " when " + when
	}
	return text
}

// rights returns the rights of a function's role, one for each action and resource, sorted.
func (tm *template) rights(t *testing.T, id string, properties object) []string {
	t.Helper()
	roleID, _ := strings.CutSuffix(at(properties, "Role|Fn::GetAtt").(string), ".Arn")
	if want := strings.TrimSuffix(id, "Function") + "Role"; roleID != want {
		t.Errorf("%s has the role %s, want %s: one role each", id, roleID, want)
	}
	role := at(tm.resources, roleID+"|Properties")
	trust := `{"Statement":[{"Action":"sts:AssumeRole","Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"}}],"Version":"2012-10-17"}`
	if got := canonical(at(role, "AssumeRolePolicyDocument")); got != trust {
		t.Errorf("%s may be taken by %s, want Lambda alone", roleID, got)
	}
	for name := range role.(object) {
		if name != "AssumeRolePolicyDocument" && name != "Description" && name != "Policies" && name != "PermissionsBoundary" {
			t.Errorf("%s has %s: its rights are the statements here alone", roleID, name)
		}
	}
	var rights []string
	for _, policy := range many(at(role, "Policies")) {
		for _, s := range many(at(policy, "PolicyDocument|Statement")) {
			when := ""
			if branches := many(at(s, "Fn::If")); len(branches) == 3 {
				if at(branches[2], "Ref") != "AWS::NoValue" {
					t.Errorf("%s: the other branch of %s grants something", roleID, canonical(branches[0]))
				}
				when, s = branches[0].(string), branches[1]
			}
			statement := s.(object)
			for key := range statement {
				if !slices.Contains([]string{"Sid", "Effect", "Action", "Resource", "Condition"}, key) {
					t.Errorf("%s: a statement has %s", roleID, key)
				}
			}
			if statement["Effect"] != "Allow" {
				t.Errorf("%s: %s does not allow", roleID, statement["Sid"])
			}
			for _, action := range strs(statement["Action"]) {
				for _, resource := range many(statement["Resource"]) {
					rights = append(rights, right(action, resource, statement["Condition"], when))
				}
			}
		}
	}
	slices.Sort(rights)
	return rights
}

// call is one operation of an AWS service. The index of DynamoDB's may also be [sharedToken].
type call struct{ service, operation, index string }

func (c call) String() string {
	names := map[string]string{"eventbridge": "events", "sfn": "states"}
	text := c.service
	if names[text] != "" {
		text = names[text]
	}
	text += ":" + c.operation
	if c.service == "dynamodb" {
		text += " SessionsTable"
	}
	if c.index != "" {
		text += "/" + c.index
	}
	return text
}

// sharedToken stands for the item that [table.Table.SharedToken] reads and ShareToken writes.
const sharedToken = "TOKEN"

// program is the code of all functions, with types. It answers which operations of AWS's services a
// function's binary can come to, by rapid type analysis: from main, every function that is named,
// and of every interface method that is called, the methods of all types of this module that occur
// in what was reached so far. Code that a function links and never reaches does not count. It knows
// nothing of values, so it finds a call behind a condition that is never true: see [unreachable].
type program struct {
	packages map[string]*types.Package
	infos    map[string]*types.Info
	files    map[string][]*ast.File
	imports  map[string][]string
	bodies   map[*types.Func]*ast.FuncDecl
}

const sdkServices = "github.com/aws/aws-sdk-go-v2/service/"

func loadProgram(t *testing.T) *program {
	t.Helper()
	command := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Dir,GoFiles,Export,Imports", "./functions/...")
	command.Dir = root
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	p := &program{packages: map[string]*types.Package{}, infos: map[string]*types.Info{}, files: map[string][]*ast.File{}, imports: map[string][]string{}, bodies: map[*types.Func]*ast.FuncDecl{}}
	exports := map[string]string{}
	set := token.NewFileSet()
	compiled := importer.ForCompiler(set, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	// go list prints dependencies first.
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var listed struct {
			ImportPath, Dir, Export string
			GoFiles, Imports        []string
		}
		if err := decoder.Decode(&listed); errors.Is(err, io.EOF) {
			return p
		} else if err != nil {
			t.Fatal(err)
		}
		exports[listed.ImportPath] = listed.Export
		if !strings.HasPrefix(listed.ImportPath, module) {
			continue
		}
		for _, name := range listed.GoFiles {
			file, err := parser.ParseFile(set, filepath.Join(listed.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			p.files[listed.ImportPath] = append(p.files[listed.ImportPath], file)
		}
		info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{}}
		checked := types.Config{Importer: importing(func(path string) (*types.Package, error) {
			if own := p.packages[path]; own != nil {
				return own, nil
			}
			return compiled.Import(path)
		})}
		pkg, err := checked.Check(listed.ImportPath, set, p.files[listed.ImportPath], info)
		if err != nil {
			t.Fatal(err)
		}
		p.packages[listed.ImportPath], p.infos[listed.ImportPath], p.imports[listed.ImportPath] = pkg, info, listed.Imports
		for _, file := range p.files[listed.ImportPath] {
			for _, d := range file.Decls {
				if f, ok := d.(*ast.FuncDecl); ok {
					p.bodies[info.Defs[f.Name].(*types.Func)] = f
				}
			}
		}
	}
}

type importing func(path string) (*types.Package, error)

func (f importing) Import(path string) (*types.Package, error) { return f(path) }

// reach is what has been reached from one function's main.
type reach struct {
	*program
	functions map[*types.Func]bool
	live      map[*types.Named]bool
	called    map[*types.Func]bool // methods of interfaces
	work      []*types.Func
	current   *types.Func // whose body is walked
	found     map[call]bool
	queries   int // calls of Query, whose index is in its input
	inputs    int
	t         *testing.T
}

// calls returns the operations that a function's binary can come to, sorted.
func (p *program) calls(t *testing.T, directory string) []call {
	t.Helper()
	r := &reach{program: p, functions: map[*types.Func]bool{}, live: map[*types.Named]bool{}, called: map[*types.Func]bool{}, found: map[call]bool{}, t: t}
	path := module + "functions/" + directory
	r.initialize(path, map[string]bool{})
	r.add(p.packages[path].Scope().Lookup("main").(*types.Func))
	for {
		for len(r.work) > 0 {
			f := r.work[len(r.work)-1]
			r.work = r.work[:len(r.work)-1]
			r.current = f
			if f.Name() == "ShareToken" && inTable(f) {
				r.found[call{"dynamodb", "UpdateItem", sharedToken}] = true
			}
			if body := p.bodies[f]; body != nil {
				r.walk(body, p.infos[f.Pkg().Path()])
			}
		}
		if !r.dispatch() {
			break
		}
	}
	if r.queries > 0 && r.inputs == 0 {
		t.Errorf("%s queries the table: on which index is not found in its code", directory)
	}
	calls := slices.Collect(maps.Keys(r.found))
	slices.SortFunc(calls, func(a, b call) int { return strings.Compare(a.String(), b.String()) })
	return calls
}

// initialize walks the package-level variables and init functions of a package and its imports.
func (r *reach) initialize(path string, seen map[string]bool) {
	if seen[path] || r.packages[path] == nil {
		return
	}
	seen[path] = true
	for _, imported := range r.imports[path] {
		r.initialize(imported, seen)
	}
	for _, file := range r.files[path] {
		for _, d := range file.Decls {
			switch d := d.(type) {
			case *ast.GenDecl:
				if d.Tok == token.VAR {
					r.walk(d, r.infos[path])
				}
			case *ast.FuncDecl:
				if d.Name.Name == "init" && d.Recv == nil {
					r.walk(d, r.infos[path])
				}
			}
		}
	}
}

func (r *reach) add(f *types.Func) {
	if f = f.Origin(); !r.functions[f] {
		r.functions[f] = true
		r.work = append(r.work, f)
	}
}

// walk notes what a piece of code names: functions, methods, types, operations of AWS.
func (r *reach) walk(code ast.Node, info *types.Info) {
	ast.Inspect(code, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Ident:
			if f, ok := info.Uses[n].(*types.Func); ok {
				r.use(f)
			}
		case *ast.CompositeLit:
			r.input(n, info)
		case *ast.AssignStmt:
			for _, left := range n.Lhs {
				if s, ok := left.(*ast.SelectorExpr); ok && s.Sel.Name == "IndexName" {
					r.t.Error("an index is set beside its QueryInput: this test does not see which")
				}
			}
		}
		if e, ok := n.(ast.Expr); ok {
			if typed, ok := info.Types[e]; ok {
				r.occur(typed.Type)
			}
		}
		return true
	})
}

func (r *reach) use(f *types.Func) {
	signature := f.Type().(*types.Signature)
	path := ""
	if f.Pkg() != nil {
		path = f.Pkg().Path()
	}
	service, ofAWS := strings.CutPrefix(path, sdkServices)
	if receiver := signature.Recv(); receiver != nil {
		if types.IsInterface(receiver.Type()) {
			r.called[f] = true
			return
		}
		if named := named(receiver.Type()); ofAWS && named != nil && named.Obj().Name() == "Client" && f.Name() != "Options" {
			r.operation(service, f.Name())
		}
	} else if operation, ok := strings.CutSuffix(f.Name(), "Paginator"); ok && ofAWS {
		r.operation(service, strings.TrimPrefix(operation, "New"))
	}
	r.add(f)
}

func inTable(f *types.Func) bool {
	return f != nil && f.Pkg() != nil && f.Pkg().Path() == module+"internal/aws/table"
}

func (r *reach) operation(service, name string) {
	if inTable(r.current) && r.current.Name() == "SharedToken" {
		r.found[call{service, name, sharedToken}] = true
		return
	}
	// Which index a query is on stands in its input.
	if service == "dynamodb" && (name == "Query" || name == "Scan") {
		r.queries++
		if name == "Scan" {
			r.found[call{service, name, ""}] = true
		}
		return
	}
	r.found[call{service, name, ""}] = true
}

// input finds the index that a query is on.
func (r *reach) input(literal *ast.CompositeLit, info *types.Info) {
	n := named(info.Types[literal].Type)
	if n == nil || n.Obj().Name() != "QueryInput" {
		return
	}
	index := ""
	for _, element := range literal.Elts {
		pair, ok := element.(*ast.KeyValueExpr)
		if key, isName := pair.Key.(*ast.Ident); !ok || !isName || key.Name != "IndexName" {
			continue
		}
		pointer, ok := pair.Value.(*ast.CallExpr) // aws.String(...)
		if !ok || len(pointer.Args) != 1 || info.Types[pointer.Args[0]].Value == nil {
			r.t.Error("an index of a query is no constant: this test does not see which")
			continue
		}
		index = constant.StringVal(info.Types[pointer.Args[0]].Value)
	}
	r.inputs++
	r.found[call{"dynamodb", "Query", index}] = true
}

// occur notes a type of this module, whose methods may be called through interfaces from then on.
func (r *reach) occur(typ types.Type) {
	if n := named(typ); n != nil && n.Obj().Pkg() != nil && strings.HasPrefix(n.Obj().Pkg().Path(), module) && !types.IsInterface(n) {
		r.live[n.Origin()] = true
	}
}

// dispatch reports whether methods were reached that were not before.
func (r *reach) dispatch() bool {
	before := len(r.functions)
	for n := range r.live {
		methods := types.NewMethodSet(types.NewPointer(n))
		for i := range methods.Len() {
			method := methods.At(i).Obj().(*types.Func)
			// lambda.Start calls Invoke; everything else is called by code of this module.
			if method.Name() == "Invoke" {
				r.add(method)
			}
			for abstract := range r.called {
				if abstract.Name() != method.Name() {
					continue
				}
				face, ok := abstract.Type().(*types.Signature).Recv().Type().Underlying().(*types.Interface)
				if ok && (types.Implements(n, face) || types.Implements(types.NewPointer(n), face)) {
					r.add(method)
				}
			}
		}
	}
	return len(r.functions) > before
}

func named(typ types.Type) *types.Named {
	if pointer, ok := typ.(*types.Pointer); ok {
		typ = pointer.Elem()
	}
	n, _ := types.Unalias(typ).(*types.Named)
	return n
}

package repotest

import (
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"didit-sessions/internal/api"
	"didit-sessions/internal/verification"
)

const openapiFile = "internal/api/openapi.yaml"

// openapi returns the description of the HTTP API; scalars are strings as they are written.
func openapi(t *testing.T) object {
	t.Helper()
	return snippet(t, read(t, openapiFile)).(object)
}

// operations returns the operations of an OpenAPI document by method and path.
func operations(paths object) map[string]object {
	found := map[string]object{}
	for path, item := range paths {
		for method, operation := range item.(object) {
			found[strings.ToUpper(method)+" "+path] = operation.(object)
		}
	}
	return found
}

// Ensure that the description and the gateway have the same routes, and open the same one.
func TestOpenAPI_routes(t *testing.T) {
	t.Parallel()
	tm, document := parseTemplate(t), openapi(t)
	open := map[string]bool{}
	for _, id := range tm.ofKind("AWS::Serverless::Function") {
		events, _ := at(tm.resources, id+"|Properties|Events").(object)
		for _, event := range events {
			if at(event, "Type") == "HttpApi" {
				auth := at(event, "Properties|Auth|Authorizer")
				open[at(event, "Properties|Method").(string)+" "+at(event, "Properties|Path").(string)] = auth == "NONE" || auth == nil
			}
		}
	}
	described := operations(document["paths"].(object))
	same(t, "routes of "+openapiFile, slices.Sorted(maps.Keys(described)), slices.Sorted(maps.Keys(open)))
	if got := canonical(document["security"]); got != `[{"Jwt":[]},{"Iam":[]}]` {
		t.Errorf("%s: all routes take %s, want a JWT or a signature", openapiFile, got)
	}
	for route, operation := range described {
		security, own := operation["security"]
		if own != open[route] || own && len(many(security)) != 0 {
			t.Errorf("%s: %s has the security %v; in template.yaml it is open: %v", openapiFile, route, security, open[route])
		}
	}
	// What the gateway's own document declares of a path must be here too.
	for path, item := range at(tm.resources, "Api|Properties|DefinitionBody|paths").(object) {
		for method, operation := range item.(object) {
			for i, parameter := range many(at(operation, "parameters")) {
				got := at(document, "paths|"+path+"|"+method+"|parameters|"+strconv.Itoa(i))
				for _, key := range []string{"name", "in", "required"} {
					if at(got, key) != at(parameter, key) {
						t.Errorf("%s: %s %s: %s of the parameter is %v, in template.yaml %v", openapiFile, method, path, key, at(got, key), at(parameter, key))
					}
				}
			}
		}
	}
}

// Ensure that the description has the fields that create takes, and those of the reference.
func TestOpenAPI_fields(t *testing.T) {
	t.Parallel()
	schemas := at(openapi(t), "components|schemas")
	var fields []string
	var walk func(prefix string, schema any)
	walk = func(prefix string, schema any) {
		properties, _ := at(schema, "properties").(object)
		for name, property := range properties {
			if reference, ok := at(property, "$ref").(string); ok {
				property = at(schemas, reference[strings.LastIndex(reference, "/")+1:])
			}
			fields = append(fields, prefix+name)
			walk(prefix+name+".", property)
		}
	}
	walk("", at(schemas, "CreateRequest"))
	slices.Sort(fields)
	same(t, "fields of "+openapiFile, fields, fieldPaths(t))
	for _, name := range verification.UserFields {
		if !slices.Contains(fields, name) {
			t.Errorf("%s: USER_FIELDS has %s", openapiFile, name)
		}
	}
	codes := strs(at(schemas, "Country|enum"))
	slices.Sort(codes)
	same(t, "countries of "+openapiFile, codes, slices.Sorted(slices.Values(append(
		all(`\{"[A-Z]{2}", "([A-Z]{3})"\}`, read(t, "internal/verification/country.go")), "null"))))
}

// fieldPaths returns the paths of the fields in the rules of create.
func fieldPaths(t *testing.T) []string {
	t.Helper()
	return all(`(?m)^\t\{"([a-z_.]+)", (?:Kind|anyKind)`, read(t, "internal/verification/rules.go"))
}

// Ensure that the description has every code, under its status, and that its examples are what
// callers get.
func TestOpenAPI_problems(t *testing.T) {
	t.Parallel()
	document := openapi(t)
	examples := map[string]object{}
	var walk func(node any)
	walk = func(node any) {
		o, ok := node.(object)
		if !ok {
			for _, item := range many(node) {
				if _, nested := item.(object); nested {
					walk(item)
				}
			}
			return
		}
		if value, ok := o["value"].(object); ok && value["code"] != nil {
			examples[value["code"].(string)] = value
		}
		for _, child := range o {
			walk(child)
		}
	}
	walk(document)
	rows := all("(?m)^\\| (?:`[a-z_]+`, )*`([a-z_]+)`(?:, `[a-z_]+`)* \\| \\d{3}", section(t, read(t, reference), "## Errors", "\n### "))
	for _, code := range rows {
		if examples[code] == nil {
			t.Errorf("%s has no example of %s", openapiFile, code)
		}
	}
	for code, example := range examples {
		if got := problemOf(t, code); got != nil && !slices.Contains([]string{"not_found"}, code) {
			for _, member := range []string{"type", "title", "status", "detail", "code"} {
				if got[member] != example[member] {
					t.Errorf("%s: %s of %s is %q, callers get %q", openapiFile, member, code, example[member], got[member])
				}
			}
		}
	}
}

// problemOf returns the problem that a caller gets whose request fails with the code; nil if that
// is another one.
func problemOf(t *testing.T, code string) map[string]string {
	t.Helper()
	c := &api.CreateSession{Sessions: failing(code), Log: slog.New(slog.DiscardHandler), Callers: api.Callers{RequestContext: func(*http.Request) api.RequestContext {
		return api.RequestContext{Claims: map[string]json.RawMessage{"sub": json.RawMessage(`"u"`)}}
	}}}
	w := httptest.NewRecorder()
	c.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/sessions", strings.NewReader(`{}`)))
	var members map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &members); err != nil {
		t.Fatal(err)
	}
	if members["code"] != code {
		return nil
	}
	texts := map[string]string{"status": strconv.Itoa(w.Code)}
	for name, value := range members {
		if text, ok := value.(string); ok {
			texts[name] = text
		}
	}
	return texts
}

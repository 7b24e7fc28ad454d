package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

const (
	maxComplexity  = 10000 // as for BigCommerce's storefront, which counts otherwise
	maxQueryTokens = 5000
)

// object is a GraphQL value with fields. A field is a value, an object, a list of objects, or a
// resolver.
type object map[string]any

// resolver computes a field from its arguments.
type resolver func(args map[string]any) (any, *gqlerror.Error)

// graphRequest is the body of a GraphQL POST.
type graphRequest struct {
	Query         string         `json:"query"`
	Variables     map[string]any `json:"variables"`
	OperationName string         `json:"operationName"`
}

// answerGraph is one parsed, validated and executed operation. Nothing of it is made up: what
// the schema does not have is refused by the validator.
type answerGraph struct {
	vars   map[string]any
	errors gqlerror.List
}

// graphResult is the body of a GraphQL answer.
type graphResult struct {
	Data   any           `json:"data,omitempty"`
	Errors gqlerror.List `json:"errors,omitempty"`
}

// executed is an answer with what its headers tell.
type executed struct {
	result     graphResult
	operation  *ast.OperationDefinition
	complexity int
}

// execute runs one operation of body on root. Operations other than queries are the schema's
// business.
func execute(schema *ast.Schema, body []byte, root object) executed {
	var in graphRequest
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&in); err != nil || in.Query == "" {
		return refuseGraph(gqlerror.Errorf("The request body must be JSON with a query."))
	}
	doc, errs := parseQuery(schema, in.Query)
	if len(errs) > 0 {
		return refuseGraph(errs...)
	}
	op := doc.Operations.ForName(in.OperationName)
	if op == nil {
		return refuseGraph(gqlerror.Errorf("Must provide the name of an operation that is in the query."))
	}
	vars, err := validator.VariableValues(schema, op, in.Variables)
	if err != nil {
		return refuseGraph(gqlerror.Errorf("%s", err.Error()))
	}
	score := countFields(op.SelectionSet, map[string]int{})
	if score > maxComplexity {
		return refuseGraph(gqlerror.Errorf("The query is too complex: its score is over %d.", maxComplexity))
	}
	run := &answerGraph{vars: vars}
	data := run.fields(op.SelectionSet, root, schema.Query.Name, nil)
	return executed{graphResult{data, run.errors}, op, score}
}

// parseQuery parses and validates. The number of tokens is limited, and so is the depth.
func parseQuery(schema *ast.Schema, text string) (*ast.QueryDocument, gqlerror.List) {
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: text}, maxQueryTokens)
	if err != nil {
		var known *gqlerror.Error
		if errors.As(err, &known) {
			return nil, gqlerror.List{known}
		}
		return nil, gqlerror.List{gqlerror.Errorf("%s", err.Error())}
	}
	return doc, validator.ValidateWithRules(schema, doc, rules.NewDefaultRules())
}

func refuseGraph(errs ...*gqlerror.Error) executed {
	for _, e := range errs {
		e.Rule = ""
	}
	return executed{result: graphResult{Errors: errs}}
}

// countFields is this sandbox's measure of complexity: one for every field, those of fragments
// each time they are spread. It never goes far above the limit, so it cannot overflow.
func countFields(set ast.SelectionSet, fragments map[string]int) int {
	n := 0
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			n += 1 + countFields(s.SelectionSet, fragments)
		case *ast.InlineFragment:
			n += countFields(s.SelectionSet, fragments)
		case *ast.FragmentSpread:
			if _, known := fragments[s.Name]; !known {
				fragments[s.Name] = countFields(s.Definition.SelectionSet, fragments)
			}
			n += fragments[s.Name]
		}
		n = min(n, maxComplexity+1)
	}
	return n
}

// orderedFields keeps the order of the query in the answer, as GraphQL demands.
type orderedFields struct {
	names  []string
	values map[string]any
}

// MarshalJSON writes the fields in order.
func (o *orderedFields) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, name := range o.names {
		if i > 0 {
			b.WriteByte(',')
		}
		value, err := encode(o.values[name])
		if err != nil {
			return nil, fmt.Errorf("writing %s: %w", name, err)
		}
		b.WriteString(strconv.Quote(name))
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func (g *answerGraph) fields(set ast.SelectionSet, from object, kind string, path ast.Path) *orderedFields {
	out := &orderedFields{values: map[string]any{}}
	g.collect(out, set, from, kind, path)
	return out
}

func (g *answerGraph) collect(out *orderedFields, set ast.SelectionSet, from object, kind string, path ast.Path) {
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			if g.included(s.Directives) {
				g.field(out, s, from, kind, path)
			}
		case *ast.InlineFragment:
			if g.included(s.Directives) {
				g.collect(out, s.SelectionSet, from, kind, path)
			}
		case *ast.FragmentSpread:
			if g.included(s.Directives) {
				g.collect(out, s.Definition.SelectionSet, from, kind, path)
			}
		}
	}
}

func (g *answerGraph) included(directives ast.DirectiveList) bool {
	for _, d := range directives {
		on, _ := d.ArgumentMap(g.vars)["if"].(bool)
		if (d.Name == "skip" && on) || (d.Name == "include" && !on) {
			return false
		}
	}
	return true
}

func (g *answerGraph) field(out *orderedFields, f *ast.Field, from object, kind string, path ast.Path) {
	path = append(path[:len(path):len(path)], ast.PathName(f.Alias))
	value := g.value(f, from, kind, path)
	old, again := out.values[f.Alias].(*orderedFields)
	if more, ok := value.(*orderedFields); again && ok { // the same field twice: one answer
		for _, name := range more.names {
			old.put(name, more.values[name])
		}
		return
	}
	out.put(f.Alias, value)
}

func (o *orderedFields) put(name string, value any) {
	if _, ok := o.values[name]; !ok {
		o.names = append(o.names, name)
	}
	o.values[name] = value
}

func (g *answerGraph) value(f *ast.Field, from object, kind string, path ast.Path) any {
	switch f.Name {
	case "__typename":
		return kind
	case "__schema", "__type":
		return g.fail(path, gqlerror.Errorf("Introspection is not available in the sandbox."))
	}
	value := from[f.Name]
	if resolve, ok := value.(resolver); ok {
		var err *gqlerror.Error
		if value, err = resolve(f.ArgumentMap(g.vars)); err != nil {
			return g.fail(path, err)
		}
	}
	return g.complete(f, value, path)
}

func (g *answerGraph) complete(f *ast.Field, value any, path ast.Path) any {
	switch v := value.(type) {
	case object:
		if v == nil {
			return nil
		}
		return g.fields(f.SelectionSet, v, f.Definition.Type.Name(), path)
	case []object:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = g.fields(f.SelectionSet, item, f.Definition.Type.Name(), append(path[:len(path):len(path)], ast.PathIndex(i)))
		}
		return list
	}
	return value
}

func (g *answerGraph) fail(path ast.Path, err *gqlerror.Error) any {
	err.Path = path
	g.errors = append(g.errors, err)
	return nil
}

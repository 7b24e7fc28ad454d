package cli

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"bcdev/internal/bigcommerce"
)

func (p *program) scopesCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "scopes METHOD PATH",
		Short:   "Which OAuth scope an API path needs",
		Example: "  bcdev scopes GET /v3/catalog/products",
		Args:    cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			method, path := strings.ToUpper(args[0]), args[1]
			if err := plausibleCall(method, path); err != nil {
				return usage(c, err)
			}
			return p.scopes(method, path)
		},
	}
}

var methods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions,
}

func plausibleCall(method, path string) error {
	if !slices.Contains(methods, method) {
		return fmt.Errorf("%q is no method; the method comes first, then the path", method)
	}
	if !strings.HasPrefix(path, "/") {
		return fmt.Errorf("the path %q has to start with /, e.g. /v3/catalog/products", path)
	}
	return nil
}

func (p *program) scopes(method, path string) error {
	need := bigcommerce.ScopesFor(method, path)
	con := p.console()
	if p.json {
		type row struct {
			Scope string `json:"scope"`
			Name  string `json:"name"`
			Level string `json:"level"`
			Weak  bool   `json:"uncertain,omitempty"`
		}
		rows := []row{}
		for _, r := range need {
			rows = append(rows, row{r.Scope, r.Name, r.Level, r.Weak})
		}
		con.JSONLine("scopes", map[string]any{"method": method, "path": path, "any_of": rows})
		return con.Err()
	}
	if len(need) == 0 {
		return failed("compare the path with the API reference; it starts with /v2/ or /v3/", "no scope is known for %s %s", method, path)
	}
	var rows [][]string
	for _, r := range need {
		note := ""
		if r.Weak {
			note = "uncertain"
		}
		rows = append(rows, []string{r.Scope, r.Name, r.Level, note})
	}
	con.Notef("any one of these opens %s %s; the portal shows the name and the level", method, path)
	con.Table([]string{"scope", "in the portal", "level", ""}, rows)
	return con.Err()
}

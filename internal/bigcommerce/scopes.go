package bigcommerce

import (
	_ "embed"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

var (
	//go:embed data/scopes.csv
	scopesCSV string
	//go:embed data/about.csv
	aboutCSV string
)

// Requirement is one OAuth scope that opens an API path.
type Requirement struct {
	Scope string // "store_v2_products_read_only"
	Name  string // as the portal shows it: "Products"
	Level string // "read-only", "modify", "manage" or ""
	Weak  bool   // the source is uncertain about this row
}

const (
	defaultScope  = "store_v2_default"
	basicScope    = "users_basic_information"
	readOnly      = "_read_only"
	levelReadOnly = "read-only"
)

// respelt are ids that BigCommerce's own pages print in two ways; the value is the one of the
// table of scopes (BigCommerce docs, API accounts).
var respelt = map[string]string{
	"store_checkouts":                  "store_checkout",
	"store_checkouts_read_only":        "store_checkout_read_only",
	"store_checkout_content":           "store_content_checkout",
	"store_checkout_content_read_only": "store_content_checkout_read_only",
}

// gate is one row of the table: a scope that opens the paths below a prefix.
type gate struct {
	Requirement
	prefix  []string // segments; {} stands for any one
	methods []string // empty: every method
	read    bool     // a row for reading only
}

var loadGates = sync.OnceValue(func() []gate {
	var gates []gate
	for _, row := range readCSV(scopesCSV) {
		g := gate{
			Requirement: Requirement{Scope: row[0], Name: row[5], Level: row[6], Weak: row[7] != ""},
			prefix:      pathSegments(row[3]), read: row[1] == "read",
		}
		if row[4] != "*" && row[4] != "" {
			g.methods = strings.Split(row[4], "|")
		}
		gates = append(gates, g)
	}
	return gates
})

func pathSegments(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}

// ScopesFor returns the scopes of which any one opens method and path, those for reading first.
// The path may start with /stores/{hash}, be a whole URL, carry a query, or end with a slash.
// Nothing is known when it returns none, as for GraphQL, where the fields decide.
func ScopesFor(method, path string) []Requirement {
	method = strings.ToUpper(strings.TrimSpace(method))
	segments := apiSegments(path)
	var found []gate
	best := 0
	for _, g := range loadGates() {
		score := matchPrefix(g.prefix, segments)
		if score > best {
			best, found = score, nil
		}
		if score == best && score > 0 {
			found = append(found, g)
		}
	}
	found = slices.DeleteFunc(found, func(g gate) bool { return len(g.methods) > 0 && !slices.Contains(g.methods, method) })
	slices.SortStableFunc(found, func(a, b gate) int { return rank(a) - rank(b) })
	var out []Requirement
	for _, g := range found {
		if !slices.Contains(out, g.Requirement) {
			out = append(out, g.Requirement)
		}
	}
	return out
}

func rank(g gate) int {
	if g.read {
		return 0
	}
	return 1
}

// matchPrefix scores a prefix by its segments; a literal one counts for more than {}. It is 0
// when the prefix does not fit.
func matchPrefix(prefix, segments []string) int {
	if len(prefix) == 0 || len(prefix) > len(segments) {
		return 0
	}
	score := 0
	for i, p := range prefix {
		switch p {
		case segments[i]:
			score += 1001
		case anySegment:
			score += 1000
		default:
			return 0
		}
	}
	return score
}

// apiSegments returns the segments behind /stores/{hash}. V2 paths may end in .json or .xml.
func apiSegments(path string) []string {
	path, _, _ = strings.Cut(path, "?")
	if u, err := url.Parse(path); err == nil && u.Host != "" {
		path = u.EscapedPath()
	}
	segments := pathSegments(path)
	if len(segments) > 2 && segments[0] == "stores" {
		segments = segments[2:]
	}
	if n := len(segments) - 1; n > 0 && segments[0] == "v2" {
		segments[n] = strings.TrimSuffix(strings.TrimSuffix(segments[n], ".json"), ".xml")
	}
	return segments
}

// Missing returns the requirements when none of them is in granted, else nothing. A modify scope
// opens what its read-only form opens, and the default scope is never missing.
func Missing(method, path string, granted []string) []Requirement {
	needed := ScopesFor(method, path)
	for _, r := range needed {
		if r.Scope == defaultScope || satisfied(r.Scope, granted) {
			return nil
		}
	}
	return needed
}

// satisfied reports whether granted holds scope or one that implies it.
func satisfied(scope string, granted []string) bool {
	scope = spelling(scope)
	enough := []string{scope}
	if base, ok := strings.CutSuffix(scope, readOnly); ok {
		enough = append(enough, base, base+"_manage")
	}
	if scope == "store_metafield_write" {
		enough = append(enough, "store_metafield_write_all")
	}
	if scope == "store_infrastructure_deployments_create_preview" {
		enough = append(enough, "store_infrastructure_deployments_manage")
	}
	return slices.ContainsFunc(granted, func(g string) bool { return slices.Contains(enough, spelling(g)) })
}

func spelling(scope string) string {
	if s, ok := respelt[scope]; ok {
		return s
	}
	return scope
}

// Compare returns which of wanted are missing from granted, and which of granted nobody asked
// for. store_v2_default and users_basic_information come by themselves and never count.
// A modify scope satisfies a wanted read-only one.
func Compare(wanted, granted []string) (missing, extra []string) {
	for _, s := range wanted {
		if !automatic(s) && !satisfied(s, granted) && !slices.Contains(missing, s) {
			missing = append(missing, s)
		}
	}
	for _, s := range granted {
		asked := slices.ContainsFunc(wanted, func(w string) bool { return satisfied(w, []string{s}) })
		if !automatic(s) && !asked && !slices.Contains(extra, s) {
			extra = append(extra, s)
		}
	}
	return missing, extra
}

func automatic(scope string) bool { return scope == defaultScope || scope == basicScope }

var loadAbout = sync.OnceValue(func() map[string]string {
	about := map[string]string{}
	for _, row := range readCSV(aboutCSV) {
		about[row[0]] = row[1]
	}
	return about
})

// ScopeName returns the portal's name, level and a sentence on what a scope allows. All are
// empty for a scope nobody has documented.
func ScopeName(scope string) (name, level, about string) {
	scope = spelling(scope)
	for _, g := range loadGates() {
		if g.Scope == scope {
			return g.Name, g.Level, g.sentence()
		}
	}
	return "", "", ""
}

// KnownScopes lists every documented scope id once, in the order of the table.
func KnownScopes() []string {
	var ids []string
	for _, g := range loadGates() {
		if !slices.Contains(ids, g.Scope) {
			ids = append(ids, g.Scope)
		}
	}
	return ids
}

// sentences are for scopes that do not simply read or change something.
var sentences = map[string]string{
	defaultScope:                                      "Comes with every token: webhooks and the store's time.",
	basicScope:                                        "Comes with every token: name and e-mail of the user who installs.",
	"store_v2_customers_login":                        "Lets the app log customers in with a token it signs.",
	"store_metafield_change_owner":                    "Lets the app take over metafields of other apps.",
	"store_metafield_write":                           "Lets the app read and change its own metafields.",
	"store_metafield_write_all":                       "Lets the app read and change the metafields of all apps.",
	"store_infrastructure_deployments_create_preview": "Lets the app create preview deployments of hosted storefronts.",
	"store_payments_access_token_create":              "Lets the app create payment access tokens for orders.",
	"account_checkouts_create":                        "Lets the app create checkouts of the account.",
	"account_subscriptions_cancel":                    "Lets the app cancel the subscriptions of the account.",
	"account_users_delete":                            "Lets the app delete the account's users.",
}

func (g gate) sentence() string {
	if s, ok := sentences[g.Scope]; ok {
		return s
	}
	what := loadAbout()[g.Name]
	switch {
	case what == "":
		return ""
	case g.read || g.Level == levelReadOnly:
		return "Lets the app read " + what + "."
	case strings.Contains(g.Name, "Tokens"):
		return "Lets the app make " + what + "."
	}
	return "Lets the app read and change " + what + "."
}

// Names words requirements as the portal shows them: "Products (read-only or modify)".
func Names(needed []Requirement) string {
	var names []string
	levels := map[string][]string{}
	for _, r := range needed {
		if !slices.Contains(names, r.Name) {
			names = append(names, r.Name)
		}
		if r.Level != "" && !slices.Contains(levels[r.Name], r.Level) {
			levels[r.Name] = append(levels[r.Name], r.Level)
		}
	}
	for i, name := range names {
		if l := levels[name]; len(l) > 0 {
			names[i] += " (" + strings.Join(l, " or ") + ")"
		}
	}
	return strings.Join(names, ", or ")
}

// isRead reports whether method changes nothing.
func isRead(method string) bool {
	return method == "" || strings.EqualFold(method, http.MethodGet) || strings.EqualFold(method, http.MethodHead)
}

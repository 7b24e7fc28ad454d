package bigcommerce

// Requirement is one OAuth scope that opens an API path.
type Requirement struct {
	Scope string // "store_v2_products_read_only"
	Name  string // as the portal shows it: "Products"
	Level string // "read-only", "modify", "manage" or ""
	Weak  bool   // the source is uncertain about this row
}

// ScopesFor returns the scopes of which any one opens method and path. The path may start with
// /stores/{hash}. Nothing is known when it returns none.
func ScopesFor(method, path string) []Requirement { panic("todo") }

// Missing returns the requirements when none of them is in granted, else nothing.
func Missing(method, path string, granted []string) []Requirement { panic("todo") }

// ScopeName returns the portal's name, level and a sentence on what a scope allows.
func ScopeName(scope string) (name, level, about string) { panic("todo") }

// Compare returns which of wanted are missing from granted, and which of granted nobody asked
// for. store_v2_default and users_basic_information come by themselves and never count.
// A modify scope satisfies a wanted read-only one.
func Compare(wanted, granted []string) (missing, extra []string) { panic("todo") }

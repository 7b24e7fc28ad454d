package bigcommerce

// Install is what the auth callback carries.
type Install struct {
	Code        string   `json:"code"`
	Context     string   `json:"context"` // "stores/{hash}"
	Store       string   `json:"store"`   // the hash alone
	Scopes      []string `json:"scope"`
	AccountUUID string   `json:"account_uuid,omitempty"`
	External    bool     `json:"external_install,omitempty"` // began at an external install link
}

// ParseInstall reads the query of an auth callback. Its error is a *CallbackError.
func ParseInstall(rawQuery string) (Install, error) { panic("todo") }

// ParseLogLine finds an auth callback in one line of a server log: Rails (both forms), nginx,
// Apache combined, Heroku, JSON logs, a URL, or a bare query string.
func ParseLogLine(line string) (Install, bool) { panic("todo") }

// CallbackError says which parameter of a callback is wrong, and why.
type CallbackError struct {
	Code    string // stable: "missing_param", "duplicate_param", "bad_context", "bad_param", "denied"
	Param   string
	Problem string
}

func (e *CallbackError) Error() string { panic("todo") }

// Hint says what to do next.
func (e *CallbackError) Hint() string { panic("todo") }

// ValidStoreHash reports whether s can be a store hash: 1 to 32 lowercase letters and digits.
func ValidStoreHash(s string) bool { panic("todo") }

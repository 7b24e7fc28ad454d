package bigcommerce

import (
	"encoding/json"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// maxLine is how much of a log line is looked at, in bytes.
const maxLine = 64 << 10

var (
	// pairInHash is "code"=>"x" of Rails, "code" => "x" since Ruby 3.4, and "code":"x" of JSON, also
	// with its quotes escaped inside another string.
	pairInHash = regexp.MustCompile(`\\?"(code|context|scope|account_uuid|external_install)\\?"\s*(?:=>|:)\s*\\?"((?:[^"\\]|\\[^"]|\\")*?)\\?"`)
	// knownPair is where a query may begin inside a word of a line.
	knownPair = regexp.MustCompile(`(?:^|[^A-Za-z0-9_%.-])((?:code|context|scope|account_uuid|external_install)=)`)
	longScope = regexp.MustCompile(`^((store|users|account)_[a-z0-9_]+|MANAGE_TAX)$`)
	scopeWord = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)
)

// ParseLogLine finds an auth callback in one line of a server log: Rails (both forms), nginx,
// Apache combined, Heroku, JSON logs, a URL, or a bare query string. A code that a log filter has
// already hidden is not found. Of a line longer than 64 KiB only the beginning is read.
func ParseLogLine(line string) (Install, bool) {
	line = strings.TrimSpace(line[:min(len(line), maxLine)])
	if !strings.Contains(line, "code") || !strings.Contains(line, "context") {
		return Install{}, false
	}
	for _, find := range []func(string) (Install, bool){installInWords, installInHash, installInJSON, installInText} {
		if in, ok := find(line); ok {
			return in, true
		}
	}
	return Install{}, false
}

// FindPayload finds a signed payload in a URL, a query, a log line or by itself, and says
// whether it is the legacy form. When both are there it prefers signed_payload_jwt.
func FindPayload(text string) (payload string, legacy, ok bool) {
	text = strings.TrimSpace(text)
	for _, name := range []string{"signed_payload_jwt", "signed_payload"} {
		if payload, ok = paramInText(text, name); ok {
			return payload, name == "signed_payload", true
		}
	}
	if text == "" || strings.ContainsAny(text, " \t\r\n?&\"'") {
		return "", false, false
	}
	return text, strings.Count(text, ".") == 1 && !looksLikeJWT(text), true
}

func paramInText(text, name string) (string, bool) {
	for _, separator := range []string{`"=>"`, `" => "`, `":"`, `": "`, "="} {
		_, after, found := strings.Cut(text, name+separator)
		if !found {
			continue
		}
		value := after
		if end := strings.IndexAny(after, "&\"' \t\r\n<>\\"); end >= 0 {
			value = after[:end]
		}
		// A plus sign is part of legacy base64 when a log shows the decoded value.
		if plain, err := url.PathUnescape(value); err == nil {
			value = plain
		}
		if value != "" {
			return value, true
		}
	}
	return "", false
}

func parseQuery(query string) (Install, bool) {
	in, err := ParseInstall(query)
	if err != nil || strings.ContainsAny(in.Code, "[]*•<>{} ") {
		return Install{}, false // "[FILTERED]", "***" and the like
	}
	return in, true
}

// installInWords tries every run of characters that can be a URL or a query.
func installInWords(line string) (Install, bool) {
	words := strings.FieldsFunc(line, func(r rune) bool { return r <= ' ' || strings.ContainsRune("\"'`<>|^", r) })
	for _, word := range words {
		if !strings.Contains(word, "code") {
			continue
		}
		if in, ok := installInWord(plainWord(word)); ok {
			in.Scopes = append(in.Scopes, scopesBehind(line, in.Scopes[len(in.Scopes)-1])...)
			return in, true
		}
		// A URL inside another URL, such as a return address, is escaped once more.
		if plain, err := url.QueryUnescape(word); err == nil && plain != word {
			if in, ok := installInWord(plain); ok {
				return in, true
			}
		}
	}
	return Install{}, false
}

// scopesBehind returns the scopes that follow last in a line which shows the query decoded, with
// blanks between the scopes.
func scopesBehind(line, last string) []string {
	_, rest, _ := strings.Cut(line, last+" ")
	var scopes []string
	for _, word := range strings.Fields(strings.NewReplacer(`"`, " . ", "'", " . ").Replace(rest)) {
		if !longScope.MatchString(word) || len(scopes) == maxScopes {
			break
		}
		scopes = append(scopes, word)
	}
	return scopes
}

// plainWord takes back what HTML and JSON encoders do to an ampersand.
func plainWord(word string) string {
	word = strings.NewReplacer(`\u0026`, "&", `\u003d`, "=", `\u003D`, "=", `\/`, "/").Replace(word)
	if strings.Contains(word, "&amp;") || strings.Contains(word, "&#") {
		word = html.UnescapeString(word)
	}
	return word
}

func installInWord(word string) (Install, bool) {
	word, _, _ = strings.Cut(word, "#")
	word = strings.TrimRight(word, `.,;:)]}\`)
	for i, r := range word {
		if r != '?' {
			continue
		}
		if in, ok := parseQuery(word[i+1:]); ok {
			return in, true
		}
	}
	if m := knownPair.FindStringSubmatchIndex(word); m != nil {
		return parseQuery(word[m[2]:])
	}
	return Install{}, false
}

// installInHash reads what Rails calls Parameters, and JSON that is not a whole document.
func installInHash(line string) (Install, bool) {
	values := url.Values{}
	for _, m := range pairInHash.FindAllStringSubmatch(line, -1) {
		values.Add(m[1], unquote(m[2]))
	}
	return parseQuery(values.Encode())
}

func unquote(s string) string {
	for range 2 { // a Rails line inside a JSON log is quoted twice
		var plain string
		if json.Unmarshal([]byte(`"`+s+`"`), &plain) != nil {
			return s
		}
		s = plain
	}
	return s
}

// installInJSON looks into every string and object of a JSON log line.
func installInJSON(line string) (Install, bool) {
	start := strings.IndexByte(line, '{')
	if start < 0 {
		return Install{}, false
	}
	var doc any
	if json.NewDecoder(strings.NewReader(line[start:])).Decode(&doc) != nil {
		return Install{}, false
	}
	return installInValue(doc)
}

func installInValue(v any) (Install, bool) {
	switch v := v.(type) {
	case string:
		if in, ok := installInWords(v); ok {
			return in, true
		}
		return installInHash(v)
	case []any:
		for _, item := range v {
			if in, ok := installInValue(item); ok {
				return in, true
			}
		}
	case map[string]any:
		return installInObject(v)
	}
	return Install{}, false
}

func installInObject(object map[string]any) (Install, bool) {
	values := url.Values{}
	names := make([]string, 0, len(object))
	for name, item := range object {
		names = append(names, name)
		if text, ok := item.(string); ok && slices.Contains(installParams, name) {
			values.Set(name, text)
		}
	}
	if in, ok := parseQuery(values.Encode()); ok {
		return in, true
	}
	slices.Sort(names)
	for _, name := range names {
		if in, ok := installInValue(object[name]); ok {
			return in, true
		}
	}
	return Install{}, false
}

// installInText reads a query that a log shows decoded, with blanks between the scopes.
func installInText(line string) (Install, bool) {
	line = plainWord(line)
	m := knownPair.FindStringSubmatchIndex(line)
	if m == nil {
		return Install{}, false
	}
	query := line[m[2]:]
	if end := strings.IndexAny(query, "\"'"); end >= 0 {
		query = query[:end]
	}
	query, _, _ = strings.Cut(query, " HTTP/")
	in, ok := parseQuery(strings.TrimSpace(query))
	if !ok || slices.ContainsFunc(in.Scopes, func(s string) bool { return !scopeWord.MatchString(s) }) {
		return Install{}, false
	}
	return in, true
}

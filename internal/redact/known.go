package redact

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/url"
	"slices"
	"strings"
)

// shortest is the length under which a secret is not looked for: it would be found everywhere.
// It is also the least piece of a secret that counts as one at the end of a cut body.
const shortest = 4

// Known finds known secrets in bytes, in every form they are usually written: as they are,
// escaped for URLs, JSON and HTML, and in base64. The zero Known finds nothing. It is safe for
// use by several goroutines.
type Known struct {
	needles [][]byte // longest first
	probes  [][]byte // the needles that hold no other: where none of them is, none is
}

// NewKnown prepares the search for secrets. Secrets under four bytes are left out.
func NewKnown(secrets ...string) Known {
	var needles [][]byte
	for _, s := range secrets {
		if len(s) < shortest {
			continue
		}
		for _, form := range forms(s) {
			needles = append(needles, []byte(form))
		}
	}
	slices.SortFunc(needles, func(a, b []byte) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), bytes.Compare(a, b))
	})
	needles = slices.CompactFunc(needles, bytes.Equal)
	return Known{needles: needles, probes: probes(needles)}
}

func probes(needles [][]byte) (least [][]byte) {
	for i := len(needles) - 1; i >= 0; i-- { // shortest first
		if !slices.ContainsFunc(least, func(p []byte) bool { return bytes.Contains(needles[i], p) }) {
			least = append(least, needles[i])
		}
	}
	return least
}

// forms lists the ways a secret is written by the programs of our world.
func forms(s string) []string {
	query, path := url.QueryEscape(s), url.PathEscape(s)
	quoted, _ := json.Marshal(s) // a string always marshals
	strict := string(quoted[1 : len(quoted)-1])
	var plain bytes.Buffer
	e := json.NewEncoder(&plain)
	e.SetEscapeHTML(false)
	_ = e.Encode(s)
	loose := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(plain.String()), `"`), `"`)
	return []string{
		s, query, path, lowerEscapes(query), lowerEscapes(path), strings.ReplaceAll(query, "+", "%20"),
		strict, loose, strings.ReplaceAll(loose, "/", `\/`), html.EscapeString(s),
		base64.StdEncoding.EncodeToString([]byte(s)), base64.RawURLEncoding.EncodeToString([]byte(s)),
	}
}

// lowerEscapes writes %2F as %2f.
func lowerEscapes(s string) string {
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i+1:i+3], bytes.ToLower(b[i+1:i+3]))
		}
	}
	return string(b)
}

// Scrub returns b with [Mask] in the place of every known secret. When b is the start of
// something longer, truncated also masks the beginning of a secret at its end, from four bytes
// on. It returns b itself when there is nothing to mask, and never changes b.
func (k Known) Scrub(b []byte, truncated bool) []byte {
	if k.in(b) {
		for _, n := range k.needles {
			if bytes.Contains(b, n) {
				b = bytes.ReplaceAll(b, n, []byte(Mask))
			}
		}
	}
	if truncated {
		b = k.scrubEnd(b)
	}
	return b
}

func (k Known) in(b []byte) bool {
	return slices.ContainsFunc(k.probes, func(p []byte) bool { return bytes.Contains(b, p) })
}

func (k Known) scrubEnd(b []byte) []byte {
	longest := 0
	for _, n := range k.needles {
		for size := min(len(n)-1, len(b)); size >= shortest && size > longest; size-- {
			if bytes.HasSuffix(b, n[:size]) {
				longest = size
			}
		}
	}
	if longest == 0 {
		return b
	}
	return append(bytes.Clone(b[:len(b)-longest]), Mask...)
}

// ScrubString is [Known.Scrub] for a whole string.
func (k Known) ScrubString(s string) string { return string(k.Scrub([]byte(s), false)) }

// Format writes the mask for every verb: what is known is secret.
func (k Known) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, Mask) }

// Scrub masks every occurrence of secrets in b; see [Known.Scrub]. Who scrubs often keeps a
// [Known].
func Scrub(b []byte, secrets []string, truncated bool) []byte {
	return NewKnown(secrets...).Scrub(b, truncated)
}

// Package redact keeps secrets off the screen, the disk and the wire: a type that prints as dots
// wherever it is printed, masks for the places where requests carry secrets, and an escape for
// text of strangers that reaches a terminal.
package redact

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// Mask is what stands in the place of a secret, on screen, on disk and in exports.
const Mask = "••••"

// Secret is a string that never prints itself. Every fmt verb, JSON, YAML and slog show [Mask];
// [Secret.Reveal] is the one way out, so every place a secret leaves can be found by its name.
//
// Package fmt calls no methods on unexported fields. A struct that keeps a Secret in one must
// not be printed as a whole, or needs a String method of its own. Package encoding/json writes
// keys of maps as they are: a Secret is never a key.
type Secret string

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

// Tail returns the mask followed by the last four bytes, so that a person can tell two secrets
// apart. A secret shorter than twelve bytes shows nothing of itself.
func (s Secret) Tail() string {
	if s == "" {
		return ""
	}
	if len(s) < 12 {
		return Mask
	}
	return Mask + string(s[len(s)-4:])
}

// Equal compares in constant time.
func (s Secret) Equal(other string) bool {
	return subtle.ConstantTimeCompare([]byte(s), []byte(other)) == 1
}

// String returns the mask, or nothing for an empty secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return Mask
}

// Format writes the mask for every verb, %#v, %x and %q included.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue implements [slog.LogValuer].
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText implements [encoding.TextMarshaler], and so covers JSON and XML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalYAML implements the YAML package's Marshaler without importing it.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }

package inspect

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"bcdev/capture"
)

// decodeLimit bounds what a compressed body may become, in bytes.
const decodeLimit = 2 << 20

// unpacked is a body without its Content-Encoding.
type unpacked struct {
	body     []byte
	encoding string // what it was packed with, "" for nothing
	cut      bool   // more came than is shown
	err      error  // why it could not be unpacked; body is then as it came
}

func unpack(m capture.Message) unpacked {
	u := unpacked{encoding: strings.Join(m.Header.Values("Content-Encoding"), ", ")}
	if strings.EqualFold(strings.TrimSpace(u.encoding), "identity") {
		u.encoding = ""
	}
	body, cut, err := m.Decoded(decodeLimit)
	if err != nil && len(body) == 0 {
		body, cut = m.Body[:min(len(m.Body), decodeLimit)], len(m.Body) > decodeLimit
	}
	u.body, u.cut, u.err = body, cut || m.Truncated, err
	return u
}

func textOrBase64(b []byte) (text, encoding string) {
	if utf8.Valid(b) {
		return string(b), "text"
	}
	return base64.StdEncoding.EncodeToString(b), "base64"
}

// The forms a body is shown in.
const (
	formNone  = "none"
	formJSON  = "json"
	formXML   = "xml"
	formForm  = "form"
	formText  = "text"
	formImage = "image"
	formHex   = "hex"
)

// formOf decides by the look of the bytes first: a wrong Content-Type is a common mistake, and a
// stranger's word about his bytes is not to be believed.
func formOf(contentType string, b []byte) string {
	if len(b) == 0 {
		return formNone
	}
	if imageType(b) != "" {
		return formImage
	}
	if !readable(b) {
		return formHex
	}
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		kind, _, _ = strings.Cut(strings.ToLower(contentType), ";")
	}
	trimmed := bytes.TrimSpace(b)
	switch {
	case len(trimmed) == 0:
		return formText
	case strings.HasSuffix(kind, "json") || trimmed[0] == '{' || trimmed[0] == '[':
		if looksJSON(trimmed) {
			return formJSON
		}
		return formText
	case kind == "application/x-www-form-urlencoded":
		return formForm
	case strings.HasSuffix(kind, "xml") || bytes.HasPrefix(trimmed, []byte("<?xml")):
		return formXML
	}
	return formText
}

// looksJSON reports that b begins as JSON does; a body that was cut off is JSON all the same.
func looksJSON(b []byte) bool {
	d := json.NewDecoder(bytes.NewReader(b))
	for range 3 {
		if _, err := d.Token(); err != nil {
			return !strings.Contains(err.Error(), "invalid character") && len(b) > 1
		}
		if !d.More() {
			return true
		}
	}
	return true
}

// readable reports that b is text: UTF-8 for the most part, with hardly a control character.
func readable(b []byte) bool {
	const look = 4096
	odd, n := 0, 0
	for i := 0; i < len(b) && i < look; n++ {
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 && i+utf8.UTFMax <= min(len(b), look) || r < 0x20 && r != '\n' && r != '\r' && r != '\t' {
			odd++
		}
		i += size
	}
	return odd*20 <= n
}

// imageType names the picture formats that are shown: those a browser decodes without running
// anything. SVG is a document with scripts and is text here.
func imageType(b []byte) string {
	switch kind := http.DetectContentType(b); kind {
	case "image/png", "image/jpeg", "image/gif", "image/webp":
		return kind
	}
	return ""
}

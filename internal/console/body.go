package console

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"mime"
	"net/url"
	"strings"
	"unicode/utf8"

	"bcdev/capture"
)

const (
	unpackLimit  = 4 << 20  // bytes of a compressed body that are unpacked for the screen
	hexLimit     = 16 << 10 // bytes of a binary body that are dumped
	excerptLines = 10       // lines of a failed answer in the log
	excerptCells = 160      // length of such a line
	elementLimit = 100      // style and script elements of a page that are left out
)

// body writes a message's body as its type wants to be read.
func (s *sheet) body(m capture.Message) {
	if m.Dropped {
		s.pad(2).put(warn, "not kept: "+size(m.Size)+" passed while the journal was over its budget").line()
		return
	}
	if len(m.Body) == 0 {
		if m.Size > 0 {
			s.pad(2).put(faint, size(m.Size)+", none of them kept").line()
		}
		return
	}
	u := unpack(m)
	s.content(m.Header.Get("Content-Type"), u.text)
	switch encoding := strings.Join(m.Header.Values("Content-Encoding"), ", "); {
	case u.err != nil:
		s.pad(2).put(warn, u.err.Error()).line()
	case u.cut:
		s.pad(2).put(warn, "unpacked from "+encoding+", and cut at "+size(int64(len(u.text)))).line()
	case u.done:
		s.pad(2).put(faint, "unpacked from "+encoding).line()
	}
	if m.Truncated {
		s.cutNote(m)
	}
}

func (s *sheet) cutNote(m capture.Message) {
	s.pad(2).put(warn, fmt.Sprintf("cut: %s of %s kept", size(int64(len(m.Body))), size(m.Size))).line()
}

// unpacked is a body without its compression.
type unpacked struct {
	text []byte
	done bool // there was a compression, and it is undone
	cut  bool
	err  error
}

// unpack undoes a body's compression within a limit. Where that fails, text is what could be
// read, or the bytes as they travelled.
func unpack(m capture.Message) unpacked {
	if m.Header.Get("Content-Encoding") == "" || len(m.Body) == 0 {
		return unpacked{text: m.Body}
	}
	text, cut, err := m.Decoded(unpackLimit)
	if err != nil && len(text) == 0 {
		return unpacked{text: m.Body, err: err}
	}
	return unpacked{text: text, done: true, cut: cut, err: err}
}

// content writes text by its media type, and by its looks where the type says little.
func (s *sheet) content(contentType string, text []byte) {
	media, _, _ := mime.ParseMediaType(contentType)
	switch {
	case !readable(text):
		s.hexDump(text)
	case s.json(2, text):
	case media == "application/x-www-form-urlencoded" && s.form(string(text)):
	case strings.HasSuffix(media, "/xml"), strings.HasSuffix(media, "+xml"), bytes.HasPrefix(bytes.TrimSpace(text), []byte("<?xml")):
		s.xml(string(text))
	case media == "text/html":
		s.text(withoutStyle(string(text)))
	default:
		s.text(string(text))
	}
}

// withoutStyle leaves out what is between <style> and </style>, and between <script> and </script>:
// on a terminal it hides the page's own words.
func withoutStyle(html string) string {
	lower := strings.ToLower(html) // a letter whose case changes its length only moves the cut
	if len(lower) != len(html) {
		return html
	}
	var out strings.Builder
	at := 0
	for range elementLimit {
		start, end, found := nextElement(lower, at)
		if !found {
			break
		}
		out.WriteString(html[at:start])
		if lines := strings.Count(html[start:end], "\n"); lines > 1 {
			fmt.Fprintf(&out, "… %d lines …", lines+1)
		} else {
			out.WriteString(html[start:end])
		}
		at = end
	}
	return out.String() + html[at:]
}

// nextElement is where the content of the next style or script element begins and ends.
func nextElement(lower string, from int) (start, end int, found bool) {
	for _, name := range []string{"style", "script"} {
		open := strings.Index(lower[from:], "<"+name)
		if open < 0 || found && from+open >= start {
			continue
		}
		first := strings.IndexByte(lower[from+open:], '>')
		if first < 0 {
			continue
		}
		inner := from + open + first + 1
		last := strings.Index(lower[inner:], "</"+name)
		if last < 0 {
			continue
		}
		start, end, found = inner, inner+last, true
	}
	return start, end, found
}

// readable reports whether text is UTF-8 and mostly not control characters. A cut last rune does
// not count against it.
func readable(text []byte) bool {
	for i := 0; i < utf8.UTFMax-1 && len(text) > 0 && !utf8.Valid(text); i++ {
		if r, n := utf8.DecodeLastRune(text); r != utf8.RuneError || n > 1 {
			break
		}
		text = text[:len(text)-1]
	}
	controls := 0
	for _, b := range text {
		if b < 0x20 && b != '\n' && b != '\r' && b != '\t' {
			controls++
		}
	}
	return utf8.Valid(text) && controls*10 <= len(text)
}

func (s *sheet) text(text string) {
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		if line != "" {
			s.pad(2).put(plain, strings.ReplaceAll(line, "\t", "    "))
		}
		s.line()
	}
}

// form writes the pairs of a form in their order.
func (s *sheet) form(text string) bool {
	pairs := strings.Split(strings.TrimSpace(text), "&")
	for _, pair := range pairs {
		if _, err := url.QueryUnescape(pair); err != nil {
			return false
		}
	}
	for _, pair := range pairs {
		name, val, _ := strings.Cut(pair, "=")
		name, _ = url.QueryUnescape(name)
		val, _ = url.QueryUnescape(val)
		s.pad(2).put(key, name).put(plain, " = ").put(value, val).line()
	}
	return true
}

// xml breaks XML that comes on one line between its elements, and leaves other XML as it is.
func (s *sheet) xml(text string) {
	if strings.Count(strings.TrimSpace(text), "\n") > 2 {
		s.text(text)
		return
	}
	depth, opened := 0, false // opened: the last part was a start tag
	for _, part := range strings.SplitAfter(strings.TrimSpace(text), ">") {
		part = strings.TrimSpace(part)
		switch {
		case part == "":
		case strings.HasPrefix(part, "</"):
			depth = max(0, depth-1)
			if !opened {
				s.endLine().pad(2 + 2*min(depth, maxIndent))
			}
			s.put(plain, part)
			opened = false
		case !strings.HasPrefix(part, "<"): // text, and the end of its element
			depth = max(0, depth-1)
			if s.col == 0 {
				s.pad(2)
			}
			s.put(plain, part)
			opened = false
		default:
			s.endLine().pad(2+2*min(depth, maxIndent)).put(plain, part)
			opened = !strings.HasSuffix(part, "/>") && !strings.HasPrefix(part, "<?") && !strings.HasPrefix(part, "<!")
			if opened {
				depth++
			}
		}
	}
	s.endLine()
}

// endLine ends the line if something is on it.
func (s *sheet) endLine() *sheet {
	if s.col > 0 {
		s.line()
	}
	return s
}

func (s *sheet) hexDump(data []byte) {
	shown := data[:min(len(data), hexLimit)]
	for line := range strings.Lines(hex.Dump(shown)) {
		s.pad(2).put(faint, strings.TrimSuffix(line, "\n")).line()
	}
	if len(shown) < len(data) {
		s.pad(2).put(faint, fmt.Sprintf("%s more", size(int64(len(data)-len(shown))))).line()
	}
}

// excerpt is the beginning of a failed answer's body, enough to see the cause.
func (s *sheet) excerpt(m capture.Message) {
	if len(m.Body) == 0 || m.Dropped {
		return
	}
	text := unpack(m).text
	if !readable(text) {
		return
	}
	n := 0
	for line := range strings.Lines(strings.TrimSpace(string(text))) {
		if n == excerptLines {
			s.pad(colText).put(faint, s.mark("…")).line()
			return
		}
		s.pad(colText).put(faint, s.cut(escape(strings.TrimRight(line, "\r\n")), excerptCells)).line()
		n++
	}
}

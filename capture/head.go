package capture

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"maps"
	"net/http"
	"slices"
)

// Both halves' headers, trailers, sizes and hashes are one blob: it is always read whole, and a
// single value costs the writer less than a dozen. Texts are length-prefixed, so every byte a
// header value may hold comes back.

const (
	headVersion = 1

	flagTruncated = 1
	flagDropped   = 2
	flagHash      = 4
)

var errHead = errors.New("the stored header is damaged")

func appendHead(b []byte, request, response *Message) []byte {
	b = append(b, headVersion)
	b = appendMessage(b, request)
	return appendMessage(b, response)
}

func appendMessage(b []byte, m *Message) []byte {
	var sum [sha256.Size]byte
	flags := byte(0)
	if m.Truncated {
		flags |= flagTruncated
	}
	if m.Dropped {
		flags |= flagDropped
	}
	if n, err := hex.Decode(sum[:], []byte(m.SHA256)); len(m.SHA256) == 2*len(sum) && err == nil && n == len(sum) {
		flags |= flagHash
	}
	b = append(b, flags)
	b = binary.AppendVarint(b, m.Size)
	if flags&flagHash != 0 {
		b = append(b, sum[:]...)
	}
	b = appendHeader(b, m.Header)
	return appendHeader(b, m.Trailer)
}

func appendHeader(b []byte, h http.Header) []byte {
	b = binary.AppendUvarint(b, uint64(len(h)))
	for name, values := range h {
		b = appendText(b, name)
		b = binary.AppendUvarint(b, uint64(len(values)))
		for _, v := range values {
			b = appendText(b, v)
		}
	}
	return b
}

func appendText(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// headReader takes a head apart. After the first error all else is empty.
type headReader struct {
	b   []byte
	err error
}

func readHead(b []byte) (request, response Message, err error) {
	if len(b) == 0 {
		return request, response, nil
	}
	if b[0] != headVersion {
		return request, response, errHead
	}
	r := headReader{b: b[1:]}
	request, response = r.message(), r.message()
	return request, response, r.err
}

func (r *headReader) message() (m Message) {
	flags := r.bytes(1)
	if r.err != nil {
		return m
	}
	m.Truncated, m.Dropped = flags[0]&flagTruncated != 0, flags[0]&flagDropped != 0
	size, n := binary.Varint(r.b)
	if n <= 0 {
		r.err = errHead
		return m
	}
	r.b = r.b[n:]
	m.Size = size
	if flags[0]&flagHash != 0 {
		m.SHA256 = hex.EncodeToString(r.bytes(sha256.Size))
	}
	m.Header, m.Trailer = r.header(), r.header()
	return m
}

func (r *headReader) header() http.Header {
	n := r.count()
	if n == 0 {
		return nil
	}
	h := make(http.Header, n)
	for range n {
		name := string(r.text())
		values := make([]string, 0, r.count())
		for range cap(values) {
			values = append(values, string(r.text()))
		}
		h[name] = values
	}
	return h
}

// count reads a number of things, each at least a byte long.
func (r *headReader) count() int {
	n, size := binary.Uvarint(r.b)
	if size <= 0 || n > uint64(len(r.b)-size) {
		r.err, r.b = errHead, nil
		return 0
	}
	r.b = r.b[size:]
	return int(n)
}

func (r *headReader) text() []byte { return r.bytes(r.count()) }

func (r *headReader) bytes(n int) []byte {
	if n > len(r.b) {
		r.err, r.b = errHead, nil
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

// headSize estimates how many bytes a header takes.
func headSize(h http.Header) (n int64) {
	for name := range maps.Keys(h) {
		n += int64(len(name))
		for v := range slices.Values(h[name]) {
			n += int64(len(v)) + 2
		}
	}
	return n
}

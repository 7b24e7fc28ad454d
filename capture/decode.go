package capture

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

const (
	defaultDecodeLimit = 8 << 20
	maxEncodings       = 4       // nobody stacks more; each costs a decoder
	decoderMemory      = 8 << 20 // the window a zstd frame may ask for (RFC 8878, 3.1.1.1.2)
)

// Decoded undoes the Content-Encoding of the body (gzip, deflate, br, zstd, several in a row) up
// to limit bytes; 0 means 8 MiB. The body is then cut, and cut says so. What could be decoded of
// a broken or truncated body is returned with the error.
func (m Message) Decoded(limit int64) (body []byte, cut bool, err error) {
	if limit <= 0 {
		limit = defaultDecodeLimit
	}
	var r io.Reader = bytes.NewReader(m.Body)
	encodings := contentEncodings(m.Header.Values("Content-Encoding"))
	if len(encodings) > maxEncodings {
		return nil, false, fmt.Errorf("decoding a body: %d encodings on top of each other", len(encodings))
	}
	for i := len(encodings) - 1; i >= 0; i-- { // the last was applied last (RFC 9110, 8.4)
		if r, err = decoder(encodings[i], r); err != nil {
			return nil, false, fmt.Errorf("decoding a body (%s): %w", encodings[i], err)
		}
		if c, ok := r.(io.Closer); ok {
			defer c.Close()
		}
	}
	body, err = io.ReadAll(io.LimitReader(r, limit+1))
	if int64(len(body)) > limit {
		return body[:limit], true, nil
	}
	if m.Truncated && errors.Is(err, io.ErrUnexpectedEOF) {
		return body, true, nil
	}
	if err != nil {
		return body, false, fmt.Errorf("decoding a body (%s): %w", strings.Join(encodings, ", "), err)
	}
	return body, false, nil
}

func contentEncodings(values []string) (names []string) {
	for _, v := range values {
		for name := range strings.SplitSeq(v, ",") {
			if name = strings.ToLower(strings.TrimSpace(name)); name != "" && name != "identity" {
				names = append(names, name)
			}
		}
	}
	return names
}

func plainEncoding(encoding string) bool {
	return encoding == "" || strings.EqualFold(strings.TrimSpace(encoding), "identity")
}

func decoder(encoding string, r io.Reader) (io.Reader, error) {
	switch encoding {
	case "gzip", "x-gzip":
		return gzip.NewReader(r)
	case "deflate":
		return inflater(r)
	case "br":
		return brotli.NewReader(r), nil
	case "zstd":
		d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20),
			zstd.WithDecoderMaxWindow(decoderMemory), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	}
	return nil, errors.New("unknown encoding")
}

// inflater reads deflate as the standard says (zlib), and as some servers mean it (raw).
func inflater(r io.Reader) (io.Reader, error) {
	var start [2]byte
	n, err := io.ReadFull(r, start[:])
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, err
	}
	whole := io.MultiReader(bytes.NewReader(start[:n]), r)
	if n == 2 && start[0]&0x0f == 8 && (int(start[0])<<8|int(start[1]))%31 == 0 {
		return zlib.NewReader(whole)
	}
	return flate.NewReader(whole), nil
}

// encode compresses body again, so that it fits its header.
func encode(encoding string, body []byte) ([]byte, error) {
	var out bytes.Buffer
	var w io.WriteCloser
	var err error
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "gzip", "x-gzip":
		w = gzip.NewWriter(&out)
	case "deflate":
		w = zlib.NewWriter(&out)
	case "br":
		w = brotli.NewWriter(&out)
	case "zstd":
		w, err = zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1))
	default:
		err = errors.New("unknown encoding")
	}
	if err != nil {
		return nil, fmt.Errorf("encoding a body (%s): %w", encoding, err)
	}
	if _, err := w.Write(body); err != nil {
		return nil, err
	}
	err = w.Close()
	return out.Bytes(), err
}

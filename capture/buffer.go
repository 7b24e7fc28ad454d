package capture

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

const (
	smallestBuffer = 9  // 512 B
	largestBuffer  = 24 // 16 MiB; beyond, buffers are made and thrown away
)

// buffers hands out byte buffers in powers of two and counts what is out, so that the recorder's
// memory has a bound however slow the disk is.
type buffers struct {
	pools [largestBuffer + 1]sync.Pool
	out   atomic.Int64
	max   int64
}

type buffer struct{ b []byte }

// get returns an empty buffer for at least n bytes, or nil over the budget. A forced one is
// given and counted in any case.
func (s *buffers) get(n int, force bool) *buffer {
	class := max(smallestBuffer, bits.Len(uint(max(n-1, 0))))
	size := int64(1) << class
	if total := s.out.Add(size); total > s.max && !force {
		s.out.Add(-size)
		return nil
	}
	if class <= largestBuffer {
		if b, ok := s.pools[class].Get().(*buffer); ok {
			return b
		}
	}
	return &buffer{b: make([]byte, 0, size)}
}

func (s *buffers) put(b *buffer) {
	if b == nil {
		return
	}
	s.out.Add(-int64(cap(b.b)))
	b.b = b.b[:0]
	if class := bits.Len(uint(cap(b.b))) - 1; class <= largestBuffer {
		s.pools[class].Put(b)
	}
}

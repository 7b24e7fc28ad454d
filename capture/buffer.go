package capture

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

const (
	smallestBuffer = 512
	largestBuffer  = 16 << 20 // beyond, buffers are made and thrown away
	bufferSizes    = 4*15 + 1 // four to each doubling between the two
)

// buffers hands out byte buffers of a few sizes and counts what is out, so that the recorder's
// memory has a bound however slow the disk is.
type buffers struct {
	pools [bufferSizes]sync.Pool
	out   atomic.Int64
	max   int64
}

type buffer struct{ b []byte }

// get returns an empty buffer for at least n bytes, or nil over the budget. A forced one is
// given and counted in any case.
func (s *buffers) get(n int, force bool) *buffer {
	size := bufferSize(n)
	if total := s.out.Add(int64(size)); total > s.max && !force {
		s.out.Add(-int64(size))
		return nil
	}
	if size <= largestBuffer {
		if b, ok := s.pools[poolOf(size)].Get().(*buffer); ok {
			return b
		}
	}
	return &buffer{b: make([]byte, 0, size)}
}

// bufferSize is the least size of ours that holds n bytes.
func bufferSize(n int) int {
	n = max(n, smallestBuffer)
	step := 1 << (bits.Len(uint(n-1)) - 1) / 4
	return (n + step - 1) / step * step
}

// poolOf numbers the sizes.
func poolOf(size int) int {
	doublings := bits.Len(uint(size)) - bits.Len(smallestBuffer)
	return 4*doublings + size>>(bits.Len(uint(size))-3) - 4
}

func (s *buffers) put(b *buffer) {
	if b == nil {
		return
	}
	s.out.Add(-int64(cap(b.b)))
	b.b = b.b[:0]
	if size := cap(b.b); size <= largestBuffer {
		s.pools[poolOf(size)].Put(b)
	}
}

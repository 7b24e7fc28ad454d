package capture

import "testing"

func TestABufferFitsCloselyAndComesBackToItsOwnPool(t *testing.T) {
	last, seen := 0, map[int]int{}
	for n := 1; n <= largestBuffer; n += n/64 + 1 {
		size := bufferSize(n)
		if size < n || n > smallestBuffer && size > n+n/4+1 || bufferSize(size) != size {
			t.Fatalf("%d bytes get %d", n, size)
		}
		pool := poolOf(size)
		if other, there := seen[pool]; there && other != size || pool < last || pool >= bufferSizes {
			t.Fatalf("size %d belongs to pool %d, beside %d", size, pool, other)
		}
		last, seen[pool] = pool, size
	}
	if last != bufferSizes-1 {
		t.Errorf("the last pool used is %d of %d", last, bufferSizes)
	}
}

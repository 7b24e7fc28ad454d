package deliver

import (
	"container/heap"
	"time"

	"bcdev/capture"
)

// lane is the jobs of one key, which are done one after the other.
type lane struct {
	key  string
	jobs []waiting
	due  time.Time // of the first job
}

// waiting is a job and, when the app has it but the journal could not be told, its delivery.
type waiting struct {
	capture.Job
	delivered *capture.Exchange
}

// lanes are all jobs in memory, by key. A lane is either ready (in the heap, by the time it is
// due), parked (its app is down) or out (a worker has it).
type lanes struct {
	byKey  map[string]*lane
	ready  laneHeap
	parked map[string][]*lane // by the app's host
	held   int                // jobs in memory
}

func newLanes() *lanes {
	return &lanes{byKey: map[string]*lane{}, parked: map[string][]*lane{}}
}

// add appends a job, which is younger than all others of its key.
func (l *lanes) add(j capture.Job) {
	l.held++
	at, ok := l.byKey[j.Key]
	if !ok {
		at = &lane{key: j.Key}
		l.byKey[j.Key] = at
	}
	at.jobs = append(at.jobs, waiting{Job: j})
	if !ok {
		l.queue(at)
	}
}

// queue makes a lane ready, or forgets it when it is empty.
func (l *lanes) queue(at *lane) {
	if len(at.jobs) == 0 {
		delete(l.byKey, at.key)
		return
	}
	at.due = at.jobs[0].Due
	heap.Push(&l.ready, at)
}

// take returns the lane that has been due for longest, or nil.
func (l *lanes) take(now time.Time) *lane {
	if len(l.ready) == 0 || l.ready[0].due.After(now) {
		return nil
	}
	return heap.Pop(&l.ready).(*lane)
}

// next is when a ready lane is due.
func (l *lanes) next() (time.Time, bool) {
	if len(l.ready) == 0 {
		return time.Time{}, false
	}
	return l.ready[0].due, true
}

// pop removes the first job of a lane.
func (l *lanes) pop(at *lane) {
	at.jobs[0] = waiting{}
	at.jobs = at.jobs[1:]
	l.held--
}

// park holds a lane back until its app runs.
func (l *lanes) park(at *lane, host string) { l.parked[host] = append(l.parked[host], at) }

// unpark makes at most n lanes of host ready at now.
func (l *lanes) unpark(host string, n int, now time.Time) {
	parked := l.parked[host]
	n = min(n, len(parked))
	for _, at := range parked[:n] {
		at.jobs[0].Due = now
		l.queue(at)
	}
	if n == len(parked) {
		delete(l.parked, host)
		return
	}
	l.parked[host] = parked[n:]
}

// laneHeap implements heap.Interface, the lane due first at the top, and among equals the oldest
// job first.
type laneHeap []*lane

func (h laneHeap) Len() int { return len(h) }

func (h laneHeap) Less(a, b int) bool {
	if !h[a].due.Equal(h[b].due) {
		return h[a].due.Before(h[b].due)
	}
	return h[a].jobs[0].ID < h[b].jobs[0].ID
}

func (h laneHeap) Swap(a, b int) { h[a], h[b] = h[b], h[a] }

func (h *laneHeap) Push(x any) { *h = append(*h, x.(*lane)) }

func (h *laneHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return last
}

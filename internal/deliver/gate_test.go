package deliver_test

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"bcdev/capture"
	"bcdev/internal/deliver"
)

func TestWhileTheAppIsDownTheQueueWaitsAndThenGoesOnInOrder(t *testing.T) {
	j := openJournal(t)
	a := startApp(t, nil)
	var mu sync.Mutex
	to := "http://127.0.0.1:1" // nothing listens there
	const n = 50
	for i := range n {
		arrive(t, j, fmt.Sprint("k", i%7), capture.Hook, hook(fmt.Sprintf(`{"n":%d}`, i)))
	}
	h, _ := run(t, j, a, func(o *deliver.Options) {
		o.To = func(capture.Exchange) (*url.URL, bool) {
			mu.Lock()
			defer mu.Unlock()
			return parse(t, to), true
		}
	})
	if got := <-h.health; got != "false true the app is not running: connection refused" {
		t.Errorf("health: %s", got)
	}
	if waits := waiting(t, j); waits != n {
		t.Errorf("%d wait", waits)
	}
	mu.Lock()
	to = a.URL
	mu.Unlock()
	seen := map[int][]int{}
	for range n {
		var i int
		_, _ = fmt.Sscanf(a.next(t).Body, `{"n":%d}`, &i)
		seen[i%7] = append(seen[i%7], i)
		h.next(t)
	}
	for key, order := range seen {
		if !slices.IsSorted(order) {
			t.Errorf("key %d came as %v", key, order)
		}
	}
	a.none(t)
	if waits := waiting(t, j); waits != 0 {
		t.Errorf("%d still wait", waits)
	}
	if kept := deliveries(t, j); len(kept) != n {
		t.Errorf("%d attempts kept, want one each", len(kept))
	}
}

func TestAPassedCallbackWakesTheQueue(t *testing.T) {
	j := openJournal(t)
	a := startApp(t, nil)
	address := a.URL
	dialled := make(chan struct{}, 100)
	var mu sync.Mutex
	down := true
	arrive(t, j, "k", capture.Hook, hook(`{}`))
	health := make(chan bool, 10)
	told := make(chan capture.Exchange, 10)
	d := deliverer(t, j, a, func(o *deliver.Options) {
		o.Now = time.Now
		o.Backoff = func(int) time.Duration { return time.Hour } // the gate's own limit is shorter
		o.Health = func(up bool, _ int, _ error) { health <- up }
		o.Told = func(e capture.Exchange) { told <- e }
		o.DialContext = dialWhen(func() bool {
			mu.Lock()
			defer mu.Unlock()
			dialled <- struct{}{}
			return !down
		})
	})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	if <-health {
		t.Fatal("the app is up")
	}
	mu.Lock()
	down = false
	mu.Unlock()
	if !d.Forward(discard{}, browse(address+"/load"), capture.Exchange{Kind: capture.Load}) {
		t.Fatal("not passed")
	}
	if !<-health {
		t.Fatal("the app is down")
	}
	for range 2 {
		select {
		case <-told:
		case <-time.After(4 * time.Second): // before the queue looks by itself
			t.Fatal("the queue was not woken")
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestAnAppThatIsDownIsAskedOnceForTheWholeQueue(t *testing.T) {
	j := openJournal(t)
	a := startApp(t, nil)
	const n = 30
	for i := range n {
		arrive(t, j, fmt.Sprint("k", i), capture.Hook, hook(`{}`))
	}
	looked := make(chan struct{}, 1000)
	dials := 0
	_, stop := run(t, j, a, func(o *deliver.Options) {
		o.Parallel = 1
		o.Backoff = func(int) time.Duration { return time.Hour }
		o.DialContext = dialWhen(func() bool { dials++; return false })
		o.To = func(capture.Exchange) (*url.URL, bool) {
			looked <- struct{}{}
			return a.url(t), true
		}
	})
	for range n {
		<-looked
	}
	stop()
	if dials != 1 {
		t.Errorf("%d dials for %d deliveries", dials, n)
	}
	if got := waiting(t, j); got != n {
		t.Errorf("%d wait", got)
	}
}

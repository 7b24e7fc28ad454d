package callback

import (
	"container/list"
	"context"
	"encoding/json"
	"sync"
	"time"

	"bcdev/capture"
)

const (
	arrivalLimit  = 8192 // messages and hashes remembered
	lookBackLimit = 4000 // webhooks of the journal looked at, once
	lookBackTime  = 2 * time.Second
)

// arrivals remembers webhooks, to tell a repetition from something new. It is bounded: the oldest
// are forgotten.
type arrivals struct {
	recent func(ctx context.Context, q capture.Query) ([]capture.Exchange, error)
	once   sync.Once

	mu    sync.Mutex
	known map[string]*list.Element // by "i" + webhook-id, and "h" + hash
	order *list.List               // of *memory, oldest first
}

type memory struct {
	key     string
	count   int
	refused bool // the app said no: the next one is a retry and no duplicate
}

// arrival is what is known of a webhook when it arrives.
type arrival struct {
	message, hash string
	retry         int  // how many times this message came before
	again         bool // this very message was taken before
	sameHash      bool // another message told the same event
}

// newArrivals starts looking back at once, so that the first webhook need not wait for it.
func newArrivals(recent func(context.Context, capture.Query) ([]capture.Exchange, error)) *arrivals {
	a := &arrivals{recent: recent, known: map[string]*list.Element{}, order: list.New()}
	if recent != nil {
		go a.once.Do(a.lookBack)
	}
	return a
}

// arrive counts one arrival of message with hash; either may be empty.
func (a *arrivals) arrive(message, hash string) arrival {
	a.once.Do(a.lookBack)
	a.mu.Lock()
	defer a.mu.Unlock()
	found := arrival{message: message, hash: hash}
	if message != "" {
		m := a.remember("i" + message)
		found.retry = m.count
		found.again = m.count > 0 && !m.refused
		m.count++
		m.refused = false
	}
	if hash != "" {
		m := a.remember("h" + hash)
		found.sameHash = m.count > 0 && found.retry == 0
		m.count++
	}
	return found
}

// forget takes an arrival back that could not be kept.
func (a *arrivals) forget(found arrival) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, key := range []string{"i" + found.message, "h" + found.hash} {
		if at, ok := a.known[key]; ok {
			at.Value.(*memory).count--
		}
	}
}

// refused notes that the app did not take the message.
func (a *arrivals) refused(found arrival) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if at, ok := a.known["i"+found.message]; ok {
		at.Value.(*memory).refused = true
	}
}

// remember returns the memory of key, newest now. The caller holds mu.
func (a *arrivals) remember(key string) *memory {
	if at, ok := a.known[key]; ok {
		a.order.MoveToBack(at)
		return at.Value.(*memory)
	}
	m := &memory{key: key}
	a.known[key] = a.order.PushBack(m)
	for a.order.Len() > arrivalLimit {
		oldest := a.order.Remove(a.order.Front()).(*memory)
		delete(a.known, oldest.key)
	}
	return m
}

// lookBack fills the memory from the journal, so that a message that was on disk before a crash
// but not acknowledged is known when BigCommerce sends it again.
func (a *arrivals) lookBack() {
	if a.recent == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookBackTime)
	defer cancel()
	q := capture.Query{Door: capture.Public, Kinds: []capture.Kind{capture.Hook}, Limit: 1000}
	var earlier []capture.Exchange
	for len(earlier) < lookBackLimit {
		page, err := a.recent(ctx, q)
		if err != nil || len(page) == 0 {
			break
		}
		earlier = append(earlier, page...)
		q.Before = page[len(page)-1].ID
	}
	for i := len(earlier) - 1; i >= 0; i-- {
		a.recall(earlier[i])
	}
}

func (a *arrivals) recall(e capture.Exchange) {
	var d struct {
		MessageID string `json:"webhook_id"`
		Hash      string `json:"hash"`
	}
	if len(e.Detail) == 0 || json.Unmarshal(e.Detail, &d) != nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if d.MessageID != "" {
		m := a.remember("i" + d.MessageID)
		m.count++
		m.refused = e.Status >= 300
	}
	if d.Hash != "" {
		a.remember("h"+d.Hash).count++
	}
}

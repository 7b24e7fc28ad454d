package sandbox

import (
	"slices"
	"sync"
	"time"
)

// BigCommerce docs, Webhooks > Overview: after 100 requests to a domain within two minutes, a
// success ratio under 90 % blocks the domain for three minutes.
const (
	blockWindow  = 2 * time.Minute
	blockFor     = 3 * time.Minute
	blockMinimum = 100
	blockRatio   = 0.9
	maxDomains   = 500
)

// blockedDomain is one entry of the block list, as GET /hooks/admin shows it.
type blockedDomain struct {
	Destination string        `json:"destination"`
	TimeLeft    int64         `json:"time_left"` // seconds
	Reasons     []blockReason `json:"reasons"`
}

type blockReason struct {
	Failure   string `json:"failure_description"`
	Count     int    `json:"count"`
	Timestamp int64  `json:"timestamp"`
}

// blocklist watches how deliveries to each domain fare.
type blocklist struct {
	mu      sync.Mutex
	domains map[string]*domainRecord
}

type domainRecord struct {
	outcomes []outcome
	until    time.Time
	reasons  []blockReason
}

type outcome struct {
	at  time.Time
	ok  bool
	why string
}

// add notes an outcome and reports whether it got the domain blocked just now.
func (b *blocklist) add(domain string, o outcome) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	d := b.domains[domain]
	if d == nil {
		if len(b.domains) >= maxDomains {
			b.domains = map[string]*domainRecord{}
		}
		d = &domainRecord{}
		b.domains[domain] = d
	}
	d.outcomes = append(d.outcomes, o)
	d.outcomes = slices.DeleteFunc(d.outcomes, func(old outcome) bool { return o.at.Sub(old.at) > blockWindow })
	if len(d.outcomes) > 10*blockMinimum {
		d.outcomes = slices.Clone(d.outcomes[len(d.outcomes)-10*blockMinimum:])
	}
	good := 0
	for _, old := range d.outcomes {
		if old.ok {
			good++
		}
	}
	if len(d.outcomes) < blockMinimum || float64(good) >= blockRatio*float64(len(d.outcomes)) || o.at.Before(d.until) {
		return false
	}
	d.until = o.at.Add(blockFor)
	d.reasons = countReasons(d.outcomes)
	d.outcomes = nil
	return true
}

func countReasons(outcomes []outcome) []blockReason {
	var reasons []blockReason
	for _, o := range outcomes {
		if o.ok {
			continue
		}
		at := slices.IndexFunc(reasons, func(r blockReason) bool { return r.Failure == o.why })
		if at < 0 {
			at = len(reasons)
			reasons = append(reasons, blockReason{Failure: o.why})
		}
		reasons[at].Count++
		reasons[at].Timestamp = o.at.Unix()
	}
	return reasons
}

// until is when a domain's block ends; the zero time when there is none.
func (b *blocklist) until(domain string, now time.Time) time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	if d := b.domains[domain]; d != nil && now.Before(d.until) {
		return d.until
	}
	return time.Time{}
}

// entry is the block list's line on a domain.
func (b *blocklist) entry(domain string, now time.Time) (blockedDomain, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	d := b.domains[domain]
	if d == nil || !now.Before(d.until) {
		return blockedDomain{}, false
	}
	left := int64(d.until.Sub(now) / time.Second)
	return blockedDomain{Destination: domain, TimeLeft: left, Reasons: slices.Clone(d.reasons)}, true
}

package deliver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"bcdev/capture"
)

const (
	pageSize   = 500              // jobs read at a time
	heldLimit  = 20_000           // jobs in memory; the others wait on disk
	pollEvery  = 5 * time.Second  // for jobs that no watcher told of
	noAppAgain = 30 * time.Second // until a job without a target is looked at again
	drainLimit = 10 * time.Second // for deliveries under way at the end
	// giveUpAfter is how long BigCommerce itself would go on trying
	// (BigCommerce docs, Webhooks overview: 11 retries in 48 hours).
	giveUpAfter = 48 * time.Hour
)

// queue is one Run: a single goroutine that owns the lanes, and workers that deliver.
type queue struct {
	d       *Deliverer
	lanes   *lanes
	cursor  int64 // the last job read
	more    bool  // there may be jobs behind the cursor
	running int
	results chan outcome
}

// outcome is what became of the first job of a lane.
type outcome struct {
	lane *lane
	host string
	do   verb
	due  time.Time
	job  waiting
}

type verb int

const (
	finished  verb = iota // the job is gone
	postponed             // again when it is due
	held                  // the app is down; not tried, or found out now
)

// Run delivers what is queued until ctx ends: jobs of one key in their order, several keys at a
// time. A job is done when the app answers with anything below 500; otherwise it is tried again,
// with longer and longer waits, for two days. What is under way when ctx ends is finished.
func (d *Deliverer) Run(ctx context.Context) error {
	if d.o.Journal == nil {
		return errors.New("running the delivery queue: there is no journal")
	}
	q := &queue{d: d, lanes: newLanes(), more: true, results: make(chan outcome, d.o.Parallel)}
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	stored := d.o.Journal.Watch(ctx)
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	for {
		q.refill(ctx)
		q.release()
		q.dispatch(work)
		timer := time.NewTimer(q.nap())
		select {
		case <-ctx.Done():
			timer.Stop()
			return q.drain(stop)
		case r := <-q.results:
			q.settle(r)
		case e, ok := <-stored:
			q.more = q.more || e.Door == capture.Public
			if !ok {
				stored = nil
			}
		case <-d.wake:
		case <-timer.C:
		case <-poll.C:
			q.more = true
		}
		timer.Stop()
	}
}

// refill reads jobs into memory, oldest first, while there is room.
func (q *queue) refill(ctx context.Context) {
	for q.more && q.lanes.held+pageSize <= heldLimit {
		jobs, err := q.d.o.Journal.Jobs(ctx, q.cursor, pageSize)
		if err != nil {
			if ctx.Err() == nil {
				q.d.o.Logger.Error("the delivery queue cannot be read", "error", err)
			}
			q.more = false // until the next poll
			return
		}
		for _, j := range jobs {
			q.cursor = max(q.cursor, j.ID)
			q.lanes.add(j)
		}
		q.more = len(jobs) == pageSize
	}
}

// release makes lanes ready whose app may be asked again: all of them when it answered, else one
// to find out.
func (q *queue) release() {
	now := q.d.o.Now()
	for host, parked := range q.lanes.parked {
		open, until, probing := q.d.gates.state(host)
		switch {
		case open:
			q.lanes.unpark(host, len(parked), now)
		case !probing && !now.Before(until):
			q.lanes.unpark(host, 1, now)
		}
	}
}

func (q *queue) dispatch(ctx context.Context) {
	for q.running < q.d.o.Parallel {
		at := q.lanes.take(q.d.o.Now())
		if at == nil {
			return
		}
		q.running++
		job := at.jobs[0]
		go func() {
			r := q.d.work(ctx, job)
			r.lane = at
			q.results <- r
		}()
	}
}

// nap is how long nothing will become due.
func (q *queue) nap() time.Duration {
	if q.running >= q.d.o.Parallel {
		return pollEvery // a result wakes sooner
	}
	now := q.d.o.Now()
	wait := pollEvery
	if due, ok := q.lanes.next(); ok {
		wait = min(wait, due.Sub(now))
	}
	for host := range q.lanes.parked {
		if open, until, probing := q.d.gates.state(host); open || !probing {
			wait = min(wait, until.Sub(now))
		}
	}
	return max(wait, time.Millisecond)
}

// settle puts a lane back where it belongs.
func (q *queue) settle(r outcome) {
	q.running--
	first := &r.lane.jobs[0]
	*first = r.job
	switch r.do {
	case finished:
		q.lanes.pop(r.lane)
		q.lanes.queue(r.lane)
	case postponed:
		first.Due = r.due
		q.lanes.queue(r.lane)
	case held:
		q.lanes.park(r.lane, r.host)
	}
}

// drain waits for the deliveries under way, and ends them when they take too long.
func (q *queue) drain(stop context.CancelFunc) error {
	limit := time.NewTimer(drainLimit)
	defer limit.Stop()
	for q.running > 0 {
		select {
		case <-q.results:
			q.running--
		case <-limit.C:
			stop()
			for ; q.running > 0; q.running-- {
				<-q.results
			}
		}
	}
	return nil
}

// work delivers one job and keeps the journal's queue up to date.
func (d *Deliverer) work(ctx context.Context, job waiting) outcome {
	if job.delivered != nil {
		return d.done(ctx, job, *job.delivered)
	}
	e, err := d.o.Journal.Reveal(ctx, fmt.Sprint(job.Exchange))
	if errors.Is(err, capture.ErrNotFound) { // pruned by hand
		_, err = d.o.Journal.Done(ctx, job.ID, nil)
		if err == nil || errors.Is(err, capture.ErrNoJob) {
			return outcome{do: finished, job: job}
		}
	}
	if err != nil {
		d.o.Logger.Error("a queued delivery cannot be read", "exchange", job.Exchange, "error", err)
		return outcome{do: postponed, job: job, due: d.o.Now().Add(d.o.Backoff(job.Attempts + 1))}
	}
	to, ok := d.place(e)
	if !ok {
		return d.postpone(ctx, job, d.o.Now().Add(noAppAgain), "there is no app to bring it to", nil)
	}
	if err := d.check(to.url); err != nil {
		return d.postpone(ctx, job, d.o.Now().Add(noAppAgain), err.Error(), nil)
	}
	host := to.url.Host
	if !d.gates.enter(host, d.o.Now()) {
		return outcome{do: held, job: job, host: host}
	}
	return d.try(ctx, job, e, to)
}

// try brings e to the app and decides what its answer means.
func (d *Deliverer) try(ctx context.Context, job waiting, e capture.Exchange, to target) outcome {
	req, err := d.request(ctx, e, to)
	if err != nil {
		// It will not become better: a body that was not kept whole cannot be sent.
		a := capture.Exchange{
			Door: capture.Local, Kind: e.Kind, Topic: e.Topic, Store: e.Store, At: d.o.Now(),
			Method: e.Method, Target: e.Target, Host: to.url.Host, Of: e.ID, Via: "queue", Err: err.Error(),
		}
		d.gates.abandon(to.url.Host)
		return d.done(ctx, job, a)
	}
	a, err := d.do(ctx, req, e.Request.Body, e, "queue")
	a.Attempt = job.Attempts + 1
	if err != nil && isDown(err) {
		return d.down(ctx, job, to.url.Host, err)
	}
	d.reached(ctx, to.url.Host)
	if a.Verdict = verdict(nil, a); job.Attempts > 0 {
		a = d.judged(ctx, a)
	}
	if err == nil && a.Status < 500 {
		return d.done(ctx, job, a)
	}
	return d.failed(ctx, job, a)
}

// request makes the captured request again, for the app at to.
func (d *Deliverer) request(ctx context.Context, e capture.Exchange, to target) (*http.Request, error) {
	req, err := e.NewRequest(ctx, to.root())
	if err != nil {
		return nil, err
	}
	to.aim(req.URL)
	req.Host = ""
	d.forwarded(req.Header, e.Host, e.Remote)
	return req, nil
}

// down holds the job back: nothing listens. That is no attempt worth keeping.
func (d *Deliverer) down(ctx context.Context, job waiting, host string, cause error) outcome {
	until, news := d.gates.down(host, d.o.Now())
	if news {
		d.health(ctx, false, cause)
	}
	o := d.postpone(ctx, job, until, why(cause), nil)
	if o.do == postponed {
		o.do, o.host = held, host
	}
	return o
}

// failed tries again later, or gives up after two days. A failure like the one before is not
// kept again.
func (d *Deliverer) failed(ctx context.Context, job waiting, a capture.Exchange) outcome {
	reason := a.Err
	if reason == "" {
		reason = fmt.Sprintf("the app answered %d", a.Status)
	}
	now := d.o.Now()
	if !job.Since.IsZero() && now.Sub(job.Since) > giveUpAfter {
		a.Marks = append(a.Marks, "gave-up")
		a.Hint = "given up after two days; bring it to the app by hand with: bcdev replay " + fmt.Sprint(a.Of)
		return d.done(ctx, job, a)
	}
	var kept *capture.Exchange
	if reason != job.Last {
		kept = &a
	}
	return d.postpone(ctx, job, now.Add(d.o.Backoff(job.Attempts+1)), reason, kept)
}

func (d *Deliverer) postpone(ctx context.Context, job waiting, due time.Time, reason string, a *capture.Exchange) outcome {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTimeout)
	defer cancel()
	id, err := d.o.Journal.Postpone(ctx, job.ID, due, reason, a)
	if errors.Is(err, capture.ErrNoJob) {
		return outcome{do: finished, job: job}
	}
	if err != nil {
		d.o.Logger.Error("a delivery could not be postponed on disk", "exchange", job.Exchange, "error", err)
	}
	if a != nil {
		a.ID = id
		d.o.Told(shown(*a))
	}
	job.Attempts++
	job.Last = reason
	return outcome{do: postponed, job: job, due: due}
}

// done removes the job. When the journal cannot, the job stays in memory as delivered: it is not
// sent again while this process lives.
func (d *Deliverer) done(ctx context.Context, job waiting, a capture.Exchange) outcome {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTimeout)
	defer cancel()
	id, err := d.o.Journal.Done(ctx, job.ID, &a)
	if errors.Is(err, capture.ErrNoJob) {
		id, err = d.o.Journal.Add(ctx, a)
	}
	if err != nil {
		d.o.Logger.Error("a delivery could not be recorded", "exchange", job.Exchange, "error", err)
		job.delivered = &a
		return outcome{do: postponed, job: job, due: d.o.Now().Add(d.o.Backoff(job.Attempts + 1))}
	}
	a.ID = id
	d.o.Told(shown(a))
	return outcome{do: finished, job: job}
}

func (d *Deliverer) health(ctx context.Context, up bool, cause error) {
	n, _, err := d.o.Journal.Waiting(ctx)
	if err != nil {
		d.o.Logger.Error("the delivery queue cannot be counted", "error", err)
	}
	if cause != nil {
		cause = errors.New(why(cause))
	}
	d.o.Health(up, n, cause)
}

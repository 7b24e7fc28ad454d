package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// load is what one measurement saw.
type load struct {
	requests int
	seconds  float64
	cpu      float64 // seconds of the rival's process
	times    []time.Duration
}

func (l load) rate() float64 { return float64(l.requests) / l.seconds }

func (l load) percentile(p float64) time.Duration {
	if len(l.times) == 0 {
		return 0
	}
	return l.times[min(len(l.times)-1, int(p*float64(len(l.times))))]
}

// drive keeps n connections busy for the duration, and fails on any answer that is not 200.
func drive(r rival, query string, n int, d time.Duration) (load, error) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	var mu sync.Mutex
	var all load
	var failure error
	cpu, start := cpuSeconds(r.pid), time.Now()
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			times, err := worker(ctx, r, query)
			mu.Lock()
			defer mu.Unlock()
			all.times = append(all.times, times...)
			if err != nil && failure == nil {
				failure = err
			}
		})
	}
	wg.Wait()
	all.seconds, all.cpu = time.Since(start).Seconds(), cpuSeconds(r.pid)-cpu
	all.requests = len(all.times)
	slices.Sort(all.times)
	return all, failure
}

func worker(ctx context.Context, r rival, query string) ([]time.Duration, error) {
	var times []time.Duration
	for ctx.Err() == nil {
		start := time.Now()
		if err := once(context.WithoutCancel(ctx), r, query); err != nil {
			return times, err
		}
		times = append(times, time.Since(start))
	}
	return times, nil
}

// once makes one call and reads its answer, which has to be a 200.
func once(ctx context.Context, r rival, query string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url(query), nil)
	if err != nil {
		return err
	}
	res, err := r.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %d (%v)", r.name, res.StatusCode, err)
	}
	return nil
}

// interleaved measures every rival in turn, several times over.
func (s *stage) interleaved(query string, n int) (map[string][]load, error) {
	seen := map[string][]load{}
	for _, r := range s.rivals { // warm connections
		if _, err := drive(r, query, n, s.duration/4); err != nil {
			return nil, err
		}
	}
	for range s.rounds {
		for _, r := range s.rivals {
			l, err := drive(r, query, n, s.duration)
			if err != nil {
				return nil, err
			}
			seen[r.name] = append(seen[r.name], l)
		}
	}
	return seen, nil
}

func (s *stage) throughput() error {
	fmt.Println("requests a second, and CPU per request (medians; ratio: bcdev with recording on / ReverseProxy of the same round)")
	fmt.Printf("%-7s %-5s %14s %14s %12s %8s %10s %10s\n", "size", "conns", "bcdev", "ReverseProxy", "no proxy", "ratio", "CPU us", "CPU ratio")
	for _, size := range []int{200, 20 << 10} {
		for _, n := range []int{1, 16, 64} {
			seen, err := s.interleaved("size="+strconv.Itoa(size), n)
			if err != nil {
				return err
			}
			ours, theirs, direct := seen[s.rivals[0].name], seen[s.rivals[1].name], seen[s.rivals[2].name]
			cpu := func(l load) float64 { return l.cpu / float64(l.requests) * 1e6 }
			fmt.Printf("%-7d %-5d %14.0f %14.0f %12.0f %8.2f %10.0f %10.2f\n", size, n,
				median(ours, load.rate), median(theirs, load.rate), median(direct, load.rate),
				ratio(ours, theirs, load.rate), median(ours, cpu), ratio(ours, theirs, cpu))
		}
	}
	return nil
}

// latency compares what each proxy adds on one warm connection.
func (s *stage) latency() error {
	seen, err := s.interleaved("size=200", 1)
	if err != nil {
		return err
	}
	at := func(p float64) func(load) float64 {
		return func(l load) float64 { return float64(l.percentile(p).Microseconds()) }
	}
	fmt.Println("\nadded latency over no proxy, one warm connection, us")
	direct := seen[s.rivals[2].name]
	var added [2]float64
	for i, r := range s.rivals[:2] {
		p50 := median(seen[r.name], at(0.5)) - median(direct, at(0.5))
		p99 := median(seen[r.name], at(0.99)) - median(direct, at(0.99))
		added[i] = p50
		fmt.Printf("%-18s p50 %6.0f   p99 %6.0f\n", r.name, p50, p99)
	}
	fmt.Printf("%-18s p50 %6.2f\n", "ratio", added[0]/added[1])
	return nil
}

// streams measures how long after upstream's flush the first line of a stream is here.
func (s *stage) streams() error {
	fmt.Println("\nfirst line of a stream after upstream's flush, ms (median of 20)")
	for _, r := range s.rivals {
		var late []float64
		for range 20 {
			res, err := r.client.Get(r.url("stream=1"))
			if err != nil {
				return err
			}
			_, err = bufio.NewReader(res.Body).ReadString('\n')
			arrived := time.Now()
			res.Body.Close()
			if err != nil {
				return err
			}
			flushed, err := strconv.ParseInt(res.Header.Get("Bench-Flushed"), 10, 64)
			if err != nil {
				return fmt.Errorf("%s: the stream does not say when it was flushed", r.name)
			}
			late = append(late, float64(arrived.UnixNano()-flushed)/1e6)
		}
		slices.Sort(late)
		fmt.Printf("%-18s %6.2f\n", r.name, late[len(late)/2])
	}
	return nil
}

// memory records 10,000 exchanges more and reads what the process holds.
func (s *stage) memory() error {
	const exchanges, workers = 10_000, 16
	before := residentMB(s.rivals[0].pid)
	failures := make(chan error, workers)
	for range workers {
		go func() {
			var err error
			for i := 0; i < exchanges/workers && err == nil; i++ {
				err = once(context.Background(), s.rivals[0], "size=2000")
			}
			failures <- err
		}()
	}
	for range workers {
		if err := <-failures; err != nil {
			return err
		}
	}
	fmt.Printf("\nresident memory of bcdev: %.0f MB, after %d more recorded exchanges %.0f MB (ReverseProxy %.0f MB)\n",
		before, exchanges, residentMB(s.rivals[0].pid), residentMB(s.rivals[1].pid))
	return nil
}

// starts measures whole processes: version to its end, demo to its ready line.
func (s *stage) starts() error {
	fmt.Println("\nstart-up, ms (median of 9)")
	version, err := repeat(9, func() error { return exec.Command(s.bcdev, "version").Run() })
	if err != nil {
		return err
	}
	fmt.Printf("%-18s %6.1f\n", "version", version)
	demo, err := repeat(9, s.demoToReady)
	if err != nil {
		return err
	}
	fmt.Printf("%-18s %6.1f\n", "demo to ready", demo)
	return nil
}

func (s *stage) demoToReady() error {
	dir, err := os.MkdirTemp(s.dir, "demo-")
	if err != nil {
		return err
	}
	c := exec.Command(s.bcdev, "demo", "--json", "--port", "0", "--state-dir", filepath.Join(dir, "state"))
	out, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	defer func() { c.Process.Kill(); c.Wait() }()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var event struct {
			Event string `json:"event"`
		}
		if json.Unmarshal(lines.Bytes(), &event) == nil && event.Event == "ready" {
			return nil
		}
	}
	return fmt.Errorf("demo ended before it was ready")
}

// repeat runs f n times and returns the median of its milliseconds.
func repeat(n int, f func() error) (float64, error) {
	var all []float64
	for range n {
		start := time.Now()
		if err := f(); err != nil {
			return 0, err
		}
		all = append(all, float64(time.Since(start).Microseconds())/1e3)
	}
	slices.Sort(all)
	return all[n/2], nil
}

func median(all []load, of func(load) float64) float64 {
	values := make([]float64, 0, len(all))
	for _, l := range all {
		values = append(values, of(l))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// ratio is the median over rounds of ours/theirs in the same round.
func ratio(ours, theirs []load, of func(load) float64) float64 {
	var all []float64
	for i := range ours {
		all = append(all, of(ours[i])/of(theirs[i]))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// cpuSeconds is the processor time of a process, where the system tells it in /proc.
func cpuSeconds(pid int) float64 {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / 100 // ticks of 10 ms
}

func residentMB(pid int) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kb / 1024
		}
	}
	return 0
}

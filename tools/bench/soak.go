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
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// soakConnections are busy all the time.
const soakConnections = 64

// endure keeps the door busy against a bad upstream, and then looks for what leaked and for what
// the journal missed or holds twice.
func (s *stage) endure() error {
	door := s.rivals[0]
	if _, err := drive(door, "size=200", soakConnections, time.Second); err != nil {
		return err
	}
	files, memory := openFiles(door.pid), residentMB(door.pid)
	sent, statuses := s.soakCalls(door)
	half := residentMB(door.pid)
	door.client.CloseIdleConnections()
	time.Sleep(2 * time.Second) // for connections to close and the journal to be written
	fmt.Printf("%d calls in %s: %v\n", sent, s.soak, statuses)
	fmt.Printf("memory %.0f MB before, %.0f MB at the end; descriptors %d before, %d after\n", memory, half, files, openFiles(door.pid))
	return s.soakJournal(sent)
}

// soakCalls makes calls, each with a number of its own, until the time is over.
func (s *stage) soakCalls(door rival) (sent int64, statuses map[string]int) {
	statuses = map[string]int{}
	var mu sync.Mutex
	var number atomic.Int64
	var wg sync.WaitGroup
	end := time.Now().Add(s.soak)
	for range soakConnections {
		wg.Go(func() {
			for time.Now().Before(end) {
				status := soakCall(door, number.Add(1))
				mu.Lock()
				statuses[status]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return number.Load(), statuses
}

func soakCall(door rival, n int64) string {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, door.url("size=200&soak="+strconv.FormatInt(n, 10)), nil)
	if err != nil {
		return err.Error()
	}
	res, err := door.client.Do(req)
	if err != nil {
		return "broken"
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return "broken"
	}
	return strconv.Itoa(res.StatusCode)
}

// soakJournal reads the journal page by page: every call once, attempts that were repeated apart.
func (s *stage) soakJournal(sent int64) error {
	seen := make(map[int64]int, sent)
	attempts, before := 0, int64(0)
	for {
		page, err := s.journalPage(before)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			before = e.ID
			if e.Via == "retry" {
				attempts++
				continue
			}
			if _, number, ok := strings.Cut(e.Query, "soak="); ok {
				n, _ := strconv.ParseInt(number, 10, 64)
				seen[n]++
			}
		}
	}
	missing, twice := 0, 0
	for n := int64(1); n <= sent; n++ {
		switch seen[n] {
		case 0:
			missing++
		case 1:
		default:
			twice++
		}
	}
	fmt.Printf("journal: %d calls once, %d missing, %d twice; %d repeated attempts beside them\n", len(seen)-twice, missing, twice, attempts)
	if missing+twice > 0 {
		return fmt.Errorf("the journal is not what happened")
	}
	return nil
}

// journalEntry is what list says of an exchange.
type journalEntry struct {
	ID         int64
	Query, Via string
}

func (s *stage) journalPage(before int64) ([]journalEntry, error) {
	args := []string{"list", "--json", "--limit", "1000", "--path", "/stores/" + benchStore + "/v3/bench", "--state-dir", filepath.Join(s.dir, "state")}
	if before > 0 {
		args = append(args, "--before", strconv.FormatInt(before, 10))
	}
	c := exec.Command(s.bcdev, args...)
	c.Env = append(os.Environ(), "BCDEV_NO_KEYRING=1")
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("reading the journal: %w", err)
	}
	var page []journalEntry
	for lines := bufio.NewScanner(strings.NewReader(string(out))); lines.Scan(); {
		var e journalEntry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, err
		}
		page = append(page, e)
	}
	return page, nil
}

func openFiles(pid int) int {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return 0
	}
	return len(entries)
}

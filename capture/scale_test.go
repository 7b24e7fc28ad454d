package capture

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// fill adds n exchanges as a busy month would leave them: mostly API calls over a few thousand
// paths, some webhooks, errors and installs.
func fill(tb testing.TB, j *Journal, n int) {
	tb.Helper()
	start := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	header := http.Header{"Accept": {"application/json"}, "User-Agent": {"app/1"}}
	const chunk = 5000
	for from := 0; from < n; from += chunk {
		es := make([]Exchange, 0, chunk)
		for i := from; i < min(n, from+chunk); i++ {
			e := Exchange{Door: API, Kind: Call, Store: "abc123", Method: "GET", Status: 200, Proto: "HTTP/1.1",
				At: start.Add(time.Duration(i) * time.Second), Host: "api.bigcommerce.com",
				Target:  fmt.Sprintf("/v3/catalog/products/%d?include=images", i%2000),
				Request: Message{Header: header}, Response: Message{Header: header, Body: []byte(`{"data":[]}`)}}
			switch {
			case i%1000 == 7:
				e.Door, e.Kind, e.Target, e.Store = Public, Auth, "/auth?code=x"+strconv.Itoa(i)+"&context=stores%2Fother", "other"
			case i%50 == 3:
				e.Door, e.Kind, e.Topic, e.Target, e.Method = Public, Hook, "store/order/created", "/webhooks", "POST"
			case i%100 == 9:
				e.Status, e.Hint = 422, "a field is missing"
			case i%5000 == 11:
				e.Status, e.Err = 0, "connection refused"
			}
			es = append(es, e)
		}
		if _, err := j.Import(context.Background(), es); err != nil {
			tb.Fatal(err)
		}
	}
}

// steps returns the lines of EXPLAIN QUERY PLAN for q.
func steps(t *testing.T, j *Journal, q Query) []string {
	t.Helper()
	tx, err := j.readers.BeginTx(context.Background(), &sql.TxOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	s, err := planSearch(context.Background(), tx, q)
	if err != nil || s == nil {
		t.Fatalf("no plan: %v", err)
	}
	query, args := s.sql()
	rows, err := tx.Query("EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var lines []string
	for rows.Next() {
		var id, parent, unused int
		var line string
		if err := rows.Scan(&id, &parent, &unused, &line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

func TestSearchesAmongManyAreLedByAnIndex(t *testing.T) {
	j, err := Open(filepath.Join(t.TempDir(), "j.db"), Options{KeepExchanges: 1 << 30, KeepFor: 1 << 62})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	fill(t, j, many)
	const rare, broken = many / 1000, (many + 4988) / 5000
	for _, c := range []struct {
		name  string
		q     Query
		index string // "" walks from the newest, and may stop at once
		want  int
	}{
		{"everything", Query{}, "", 50},
		{"an older page", Query{Before: 100}, "", 50},
		{"a path prefix", Query{Path: "/v3/catalog/products/19"}, "exchange_target", 50},
		{"a path prefix, nearly all", Query{Path: "/v3/"}, "", 50},
		{"a path substring", Query{Path: "products/77"}, "exchange_target", min(50, 11*many/2000)},
		{"a path nobody asked for", Query{Path: "/v2/nothing"}, "none", 0},
		{"a substring that is only in the query", Query{Path: "images"}, "none", 0},
		{"a text in the query", Query{Text: "stores%2Fother"}, "exchange_target", rare},
		{"a text in the hint", Query{Text: "field is"}, "exchange_hint", 50},
		{"a text in the error", Query{Text: "REFUSED"}, "exchange_err", broken},
		{"a text in the topic", Query{Text: "order/cr"}, "exchange_topic", 50},
		{"kinds", Query{Kinds: []Kind{Auth, Load}, Limit: 1000}, "exchange_kind", rare},
		{"a status class", Query{Status: "4xx"}, "exchange_class", 50},
		{"a status range", Query{Status: ">=400"}, "exchange_class", 50},
		{"no answer", Query{Status: "0", Limit: 1000}, "exchange_class", broken},
		{"a rare store", Query{Store: "other", Limit: 1000}, "exchange_store", rare},
		{"a topic", Query{Topic: "store/order/created"}, "exchange_topic", 50},
		{"a topic pattern", Query{Topic: "store/*"}, "exchange_topic", 50},
		{"path and status", Query{Path: "/v3/catalog/products/9", Status: "422", Limit: 1000}, "exchange_target", rare},
	} {
		t.Run(c.name, func(t *testing.T) {
			es, err := j.Find(context.Background(), c.q)
			if err != nil {
				t.Fatal(err)
			}
			if len(es) != c.want {
				t.Errorf("found %d, want %d", len(es), c.want)
			}
			for i := 1; i < len(es); i++ {
				if es[i].ID >= es[i-1].ID {
					t.Fatalf("exchange %d stands behind %d", es[i].ID, es[i-1].ID)
				}
			}
			if c.index == "none" {
				return
			}
			plan := strings.Join(steps(t, j, c.q), "\n")
			switch {
			case c.index != "" && !strings.Contains(plan, "USING INDEX "+c.index) && !strings.Contains(plan, "USING COVERING INDEX "+c.index):
				t.Errorf("the plan does not use %s:\n%s", c.index, plan)
			case c.index == "" && strings.Contains(plan, "TEMP B-TREE"):
				t.Errorf("the plan sorts:\n%s", plan)
			case c.index != "" && strings.Contains(plan, "SCAN x"):
				t.Errorf("the plan reads every exchange:\n%s", plan)
			}
		})
	}
}

// BenchmarkFind searches among BCDEV_BENCH_EXCHANGES exchanges (100,000 when unset).
func BenchmarkFind(b *testing.B) {
	n, _ := strconv.Atoi(os.Getenv("BCDEV_BENCH_EXCHANGES"))
	if n == 0 {
		n = 100_000
	}
	path := filepath.Join(b.TempDir(), "j.db")
	j, err := Open(path, Options{KeepExchanges: 1 << 30, KeepFor: 1 << 62, KeepBytes: 1 << 40})
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	start := time.Now()
	fill(b, j, n)
	b.Logf("%d exchanges in %s", n, time.Since(start).Round(time.Millisecond))
	for _, c := range []struct {
		name string
		q    Query
	}{
		{"last 50", Query{}},
		{"path prefix", Query{Path: "/v3/catalog/products/19"}},
		{"path prefix, nearly all", Query{Path: "/v3/"}},
		{"path substring", Query{Path: "products/77"}},
		{"path, none", Query{Path: "nothing"}},
		{"text", Query{Text: "refused"}},
		{"text, none", Query{Text: "nothing"}},
		{"text, nearly all", Query{Text: "products"}},
		{"status 4xx", Query{Status: "4xx"}},
		{"status 0", Query{Status: "0"}},
		{"kind auth", Query{Kinds: []Kind{Auth}}},
		{"kind api, other store", Query{Kinds: []Kind{Call}, Store: "nobody"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := j.Find(context.Background(), c.q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("open and list", func(b *testing.B) {
		for b.Loop() {
			r, err := Open(path, Options{ReadOnly: true})
			if err != nil {
				b.Fatal(err)
			}
			if _, err := r.Find(context.Background(), Query{Path: "/v3/catalog/products/19"}); err != nil {
				b.Fatal(err)
			}
			r.Close()
		}
	})
}

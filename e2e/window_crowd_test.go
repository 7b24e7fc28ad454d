package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// crowd sends webhooks to the public door, n of them, from several senders at once.
func crowd(t *testing.T, url string, n int) {
	t.Helper()
	next := make(chan int)
	var senders sync.WaitGroup
	for range 8 {
		senders.Go(func() {
			for i := range next {
				body := fmt.Sprintf(`{"scope":"store/order/updated","store_id":"1","data":{"type":"order","id":%d},"hash":"%d","created_at":1795400000,"producer":"stores/sbx7demo1"}`, i, i)
				res, err := http.Post(url, "application/json", strings.NewReader(body))
				if err != nil {
					t.Errorf("webhook %d: %v", i, err)
					continue
				}
				res.Body.Close()
				if res.StatusCode >= 500 {
					t.Errorf("webhook %d was answered %d", i, res.StatusCode)
				}
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	senders.Wait()
}

func TestTheListKeepsUpAndStandsStillForAReader(t *testing.T) {
	t.Parallel()
	far := openFarSide(t)
	env := append(far.env(t.TempDir()), "BCDEV_PROXY_LISTEN="+freeAddr(t), "BCDEV_INSPECTOR_LISTEN="+freeAddr(t),
		"BCDEV_TUNNEL_PROVIDER=none", "BCDEV_TUNNEL_PUBLIC_URL=https://tunnel.example", "BCDEV_TUNNEL_LISTEN=127.0.0.1:0")
	near := startNearSide(t, far, env)
	hooks := "http://" + near.ready.text("tunnel_listen") + "/webhooks"
	b := openTab(t)
	b.open(near.ready.text("inspector_url"))
	b.until("the list", `document.querySelector('#rows')`)

	const newest = `Number(document.querySelector('#rows li').dataset.id)`
	crowd(t, hooks, 500)
	b.until("the last of five hundred", newest+` >= 500`)
	if n := evaluate[int](b, `new Set([...document.querySelectorAll('#rows li')].map(li => li.id)).size - document.querySelectorAll('#rows li').length`); n != 0 {
		t.Error("rows are there twice")
	}

	evaluate[int](b, `document.querySelector('#scroll').scrollTop = 2000`)
	const top = `[...document.querySelectorAll('#rows li')].find(li => li.getBoundingClientRect().top >= document.querySelector('#scroll').getBoundingClientRect().top).id`
	read := evaluate[string](b, top)
	crowd(t, hooks, 50)
	b.until("word of the new ones", `(n => !n.hidden && /50/.test(n.innerText))(document.querySelector('#new'))`)
	if now := evaluate[string](b, top); now != read {
		t.Errorf("the reader was at %s and is at %s", read, now)
	}
	b.picture("reading")
	b.press("the new ones", `document.querySelector('#new')`)
	b.until("the newest", newest+` >= 550 && document.querySelector('#scroll').scrollTop === 0`)

	b.open(strings.Split(near.ready.text("inspector_url"), "?")[0])
	b.until("the list", `document.querySelectorAll('#rows li').length >= 50`)
	if weight := evaluate[int](b, `performance.getEntries().reduce((sum, e) => sum + (e.decodedBodySize || 0), 0)`); weight == 0 || weight > 100_000 {
		t.Errorf("the page weighs %d bytes: %v", weight, evaluate[[]string](b, `performance.getEntries().filter(e => e.decodedBodySize).map(e => e.name + ' ' + e.decodedBodySize)`))
	}
}

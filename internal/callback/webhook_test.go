package callback_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bcdev/capture"
	"bcdev/internal/callback"
)

func event(id int, hash string) string {
	return fmt.Sprintf(`{"scope":"store/order/created","store_id":"1009876","data":{"type":"order","id":%d},"hash":"%s","created_at":%d,"producer":"stores/abc123xyz"}`,
		id, hash, today.Add(-4*time.Second).Unix())
}

func hookHeader(message, body string) http.Header {
	h := app.SignWebhook(message, today, []byte(body))
	h.Set("Content-Type", "application/json")
	return h
}

func withApp(d *door) {
	d.o.Forward = func(http.ResponseWriter, *http.Request, capture.Exchange) bool { return false }
}

func TestAWebhookIsStoredQueuedAndAnsweredWithNothing(t *testing.T) {
	d := openDoor(t, withApp)
	body := event(118, "aa11")
	resp, answer := d.send(http.MethodPost, "/webhooks", body, hookHeader("msg_1", body))
	if resp.StatusCode != http.StatusOK || answer != "" {
		t.Errorf("status %d, %q", resp.StatusCode, answer)
	}
	e := d.stored()[0]
	if e.Kind != capture.Hook || e.Topic != "store/order/created" || e.Store != "abc123xyz" || string(e.Request.Body) != body {
		t.Errorf("stored as %+v", e)
	}
	if diff := cmp.Diff([]string{"signature:valid"}, e.Marks); diff != "" {
		t.Error(diff)
	}
	var detail callback.WebhookDetail
	if err := json.Unmarshal(e.Detail, &detail); err != nil {
		t.Fatal(err)
	}
	if detail.Resource != "order" || detail.ID != "118" || detail.Age != 4 || detail.Signature != "valid" ||
		detail.MessageID != "msg_1" || detail.Scope != "store/order/created" {
		t.Errorf("detail is %s", e.Detail)
	}
	jobs := d.jobs()
	if len(jobs) != 1 || jobs[0].Key != "abc123xyz/order/118" || jobs[0].Exchange != e.ID {
		t.Errorf("queued: %+v", jobs)
	}
	if diff := cmp.Diff([]string{"webhook store/order/created true"}, d.told.heard()); diff != "" {
		t.Error(diff)
	}
}

func TestAWebhookWithoutAnAppWaitsForNobody(t *testing.T) {
	d := openDoor(t, nil)
	d.send(http.MethodPost, "/webhooks", event(1, "aa"), nil)
	if jobs := d.jobs(); len(jobs) != 0 {
		t.Errorf("queued: %+v", jobs)
	}
}

func TestTheSignatureOfAWebhookIsJudgedAndNamed(t *testing.T) {
	body := event(118, "aa11")
	changed := hookHeader("msg_1", body+" ")
	old := app.SignWebhook("msg_1", today.Add(-time.Hour), []byte(body))
	for name, c := range map[string]struct {
		header http.Header
		marks  []string
	}{
		"absent":         {http.Header{}, []string{"signature:absent"}},
		"a changed byte": {changed, []string{"signature:invalid", "invalid:mismatch"}},
		"an hour old":    {old, []string{"signature:invalid", "invalid:too_old"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := openDoor(t, withApp)
			resp, _ := d.send(http.MethodPost, "/webhooks", body, c.header)
			if resp.StatusCode != http.StatusOK {
				t.Errorf("status %d", resp.StatusCode)
			}
			if diff := cmp.Diff(c.marks, d.stored()[0].Marks); diff != "" {
				t.Error(diff)
			}
			if len(d.jobs()) != 1 {
				t.Error("the app does not get to judge it itself")
			}
		})
	}
}

func TestDuplicatesAreMarkedAndAMessageIsDeliveredOnce(t *testing.T) {
	d := openDoor(t, withApp)
	post := func(message string, id int, hash string) {
		t.Helper()
		body := event(id, hash)
		if resp, _ := d.send(http.MethodPost, "/webhooks", body, hookHeader(message, body)); resp.StatusCode != http.StatusOK {
			t.Fatalf("status %d", resp.StatusCode)
		}
	}
	post("msg_1", 1, "aa")
	post("msg_2", 2, "bb")
	post("msg_1", 1, "aa") // the same message again
	post("msg_3", 1, "aa") // the same event in another message
	var marks [][]string
	for _, e := range d.stored() {
		marks = append(marks, e.Marks[1:])
	}
	want := [][]string{{}, {}, {"duplicate", "retry:1"}, {"duplicate"}}
	if diff := cmp.Diff(want, marks); diff != "" {
		t.Errorf("marks (-want +got):\n%s", diff)
	}
	if n := len(d.jobs()); n != 3 {
		t.Errorf("%d deliveries, want 3", n)
	}
}

func TestADuplicateIsKnownAfterARestart(t *testing.T) {
	d := openDoor(t, withApp)
	body := event(1, "aa")
	d.send(http.MethodPost, "/webhooks", body, hookHeader("msg_1", body))
	d.stored()

	again := openDoor(t, func(next *door) {
		withApp(next)
		next.o.Recent = d.journal.Find
	})
	again.send(http.MethodPost, "/webhooks", body, hookHeader("msg_1", body))
	e := again.stored()[0]
	if !slices.Contains(e.Marks, "duplicate") || len(again.jobs()) != 0 {
		t.Errorf("marks %q, queued %d", e.Marks, len(again.jobs()))
	}
}

func TestPassthroughReturnsTheAppsAnswerAndARetryIsNoDuplicate(t *testing.T) {
	statuses := []int{http.StatusServiceUnavailable, http.StatusAccepted, http.StatusAccepted}
	var asked []string
	d := openDoor(t, func(d *door) {
		withApp(d)
		d.o.Passthrough = func(w http.ResponseWriter, r *http.Request, _ capture.Exchange) bool {
			b, _ := io.ReadAll(r.Body)
			asked = append(asked, string(b))
			w.WriteHeader(statuses[0])
			statuses = statuses[1:]
			return true
		}
	})
	body := event(1, "aa")
	var got []int
	for range 3 {
		resp, _ := d.send(http.MethodPost, "/webhooks", body, hookHeader("msg_1", body))
		got = append(got, resp.StatusCode)
	}
	if diff := cmp.Diff([]int{503, 202, 202}, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{body, body, body}, asked); diff != "" {
		t.Error(diff)
	}
	stored := d.stored()
	if slices.Contains(stored[1].Marks, "duplicate") || !slices.Contains(stored[1].Marks, "retry:1") || !slices.Contains(stored[2].Marks, "duplicate") {
		t.Errorf("marks: %q, %q", stored[1].Marks, stored[2].Marks)
	}
	if len(d.jobs()) != 0 {
		t.Error("queued as well")
	}
}

func TestC11ABodyBeyondTheLimitIsRefused(t *testing.T) {
	d := openDoor(t, func(d *door) { d.o.BodyLimit = 1000 })
	for name, body := range map[string]io.Reader{
		"announced":   strings.NewReader(strings.Repeat("a", 5000)),
		"unannounced": io.MultiReader(strings.NewReader(strings.Repeat("a", 5000))),
	} {
		req, err := http.NewRequest(http.MethodPost, d.URL+"/webhooks", body)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := d.Client().Do(req)
		if err != nil {
			t.Fatal(name, err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: status %d", name, resp.StatusCode)
		}
	}
	if len(d.stored()) != 0 {
		t.Error("stored")
	}
}

func TestC12APackedBodyIsKeptAsItCame(t *testing.T) {
	d := openDoor(t, withApp)
	var packed bytes.Buffer
	zw := gzip.NewWriter(&packed)
	_, _ = zw.Write(bytes.Repeat([]byte{0}, 10<<20))
	_ = zw.Close()
	resp, _ := d.send(http.MethodPost, "/webhooks", packed.String(), http.Header{"Content-Encoding": {"gzip"}})
	if resp.StatusCode != http.StatusOK {
		t.Errorf("status %d", resp.StatusCode)
	}
	if e := d.stored()[0]; !bytes.Equal(e.Request.Body, packed.Bytes()) {
		t.Errorf("%d bytes stored of %d", len(e.Request.Body), packed.Len())
	}
}

func TestC13ABodyThatTricklesIsCutOff(t *testing.T) {
	d := openDoor(t, func(d *door) { d.o.BodyTimeout = 20 * time.Millisecond })
	conn, err := net.Dial("tcp", d.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "POST /webhooks HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusRequestTimeout || !resp.Close {
		t.Errorf("status %d, connection closed: %t", resp.StatusCode, resp.Close)
	}
	if len(d.stored()) != 0 {
		t.Error("stored")
	}
}

func TestC21WhatIsNoWebhookIsKeptAndBroughtNowhere(t *testing.T) {
	d := openDoor(t, withApp)
	parts := strings.Repeat("--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n", 10_000)
	resp, _ := d.send(http.MethodPost, "/webhooks", parts, http.Header{"Content-Type": {"multipart/form-data; boundary=x"}})
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("status %d", resp.StatusCode)
	}
	if e := d.stored()[0]; !slices.Contains(e.Marks, "malformed") || len(d.jobs()) != 0 {
		t.Errorf("marks %q, queued %d", e.Marks, len(d.jobs()))
	}
}

func TestC10InvisibleMarksOfAStrangerAreKeptAsTheyCame(t *testing.T) {
	d := openDoor(t, nil)
	body := `{"scope":"store/order/created` + "\u202e\u2066\u200b" + `","store_id":"1","data":{},"producer":"stores/abc123xyz"}`
	d.send(http.MethodPost, "/webhooks", body, nil)
	if e := d.stored()[0]; string(e.Request.Body) != body {
		t.Errorf("stored as %q", e.Request.Body)
	}
}

func TestAWebhookThatCannotBeStoredIsNotAcknowledged(t *testing.T) {
	d := openDoor(t, withApp)
	if err := d.journal.Close(); err != nil {
		t.Fatal(err)
	}
	body := event(1, "aa")
	resp, _ := d.send(http.MethodPost, "/webhooks", body, hookHeader("msg_1", body))
	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("status %d: BigCommerce would not send it again", resp.StatusCode)
	}
	if len(d.told.heard()) != 0 {
		t.Errorf("told %q", d.told.heard())
	}
}

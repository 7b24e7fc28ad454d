package capture

import (
	"path/filepath"
	"testing"
	"time"
)

func TestLatestIsTheNewestThatCameByItself(t *testing.T) {
	j, err := Open(filepath.Join(t.TempDir(), "j.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	own := Exchange{Door: Public, Kind: Load, Method: "GET", Target: "/load", At: time.Now(), Status: 200}
	id, err := j.Add(t.Context(), own)
	if err != nil {
		t.Fatal(err)
	}
	for _, via := range []string{"import", "retry", "replay"} {
		e := own
		e.Via = via
		if via == "replay" {
			e.Door = Local
		}
		if _, err := j.Add(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	for _, ref := range []string{"latest", "latest load"} {
		if e, err := j.Get(t.Context(), ref); err != nil || e.ID != id {
			t.Errorf("%s is #%d (%v), want #%d", ref, e.ID, err, id)
		}
	}
}

package tunnel

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestASilentLinkIsDownUntilTheNextBeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLink(15 * time.Second)
		defer l.close(nil)
		l.stood()
		if s, _ := l.now(); s != Connecting {
			t.Fatalf("up without an address: %q", s)
		}
		l.granted()
		for range 3 { // beats come
			<-time.After(14 * time.Second)
			l.beat(time.Millisecond)
		}
		if s, _ := l.now(); s != Up {
			t.Fatalf("state is %q with beats", s)
		}
		begin := time.Now()
		<-time.After(15*time.Second + time.Millisecond)
		s, since := l.now()
		if s != Down || since.Sub(begin) != 15*time.Second {
			t.Fatalf("state is %q since %s of silence", s, since.Sub(begin))
		}
		l.beat(2 * time.Millisecond)
		if s, _ := l.now(); s != Up {
			t.Fatalf("state is %q after a beat", s)
		}
	})
}

func TestALateBeatDoesNotRaiseALinkThatIsLost(t *testing.T) {
	l := newLink(time.Hour)
	defer l.close(nil)
	l.stood()
	l.granted()
	l.lost(errors.New("gone"))
	l.beat(time.Millisecond)
	if s, _ := l.now(); s != Down {
		t.Errorf("state is %q", s)
	}
	l.stood()
	if s, _ := l.now(); s != Up {
		t.Errorf("state is %q", s)
	}
}

func TestALinkThatIsLostBeforeItsAddressIsGrantedIsNotUp(t *testing.T) {
	l := newLink(time.Hour)
	defer l.close(nil)
	l.stood()
	l.lost(errors.New("gone"))
	l.granted()
	if s, _ := l.now(); s == Up {
		t.Error("up without a session")
	}
}

func TestASlowReaderGetsTheLatestAndTheEnd(t *testing.T) {
	l := newLink(0)
	l.stood()
	l.granted()
	for range 10 * eventsKept {
		l.lost(errors.New("gone"))
	}
	l.stood()
	l.close(errors.New("stopped"))
	l.finish()
	var all []Event
	for e := range l.events {
		all = append(all, e)
	}
	if len(all) != eventsKept {
		t.Fatalf("%d events were kept, want %d", len(all), eventsKept)
	}
	last := all[len(all)-1]
	if last.State != Closed || last.Err == nil || all[len(all)-2].State != Up {
		t.Errorf("the last events are %+v", all[len(all)-2:])
	}
	for i := 1; i < len(all)-2; i++ {
		if all[i].Attempt != all[i-1].Attempt+1 {
			t.Errorf("the events are out of order: %+v", all)
		}
	}
}

func TestNothingIsToldAfterTheEnd(t *testing.T) {
	l := newLink(time.Hour)
	l.stood()
	l.granted()
	l.close(nil)
	l.finish()
	l.finish()
	l.beat(time.Second)
	l.lost(errors.New("gone"))
	l.stood()
	l.close(errors.New("again"))
	if s, _ := l.now(); s != Closed {
		t.Errorf("state is %q", s)
	}
}

package tunnel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"time"
)

// Listen is the public door for people who bring their own tunnel: connections arrive at addr,
// and publicURL is where the world finds them. Whether that tunnel stands is not known here, so
// the state is Up as long as the listener is open.
func Listen(addr, publicURL string) (*Tunnel, error) {
	ln, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", addr)
	if err != nil {
		return nil, &Error{
			Text: fmt.Sprintf("cannot listen on %s: %s", clean(addr), clean(rootText(err))),
			Next: "give your tunnel another local address (tunnel.listen), or end the program that uses this one",
			Err:  err,
		}
	}
	l := newLink(0)
	l.stood()
	l.granted()
	return start("none", strings.TrimRight(publicURL, "/"), ln.Addr(), ownDoor{ln}, l), nil
}

type ownDoor struct{ net.Listener }

const breather = 50 * time.Millisecond // when the system has no file descriptor left

func (d ownDoor) accept() (net.Conn, error) {
	for {
		c, err := d.Accept()
		if !passing(err) {
			return c, err
		}
		time.Sleep(breather)
	}
}

func passing(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ECONNABORTED)
}

func (d ownDoor) shut()                 { d.Close() }
func (d ownDoor) gone() <-chan struct{} { return nil } // never
func (d ownDoor) release()              { d.Close() }

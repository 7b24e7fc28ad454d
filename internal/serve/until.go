package serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// Door is one listener, its server, and how long requests under way may take to end.
type Door struct {
	Name     string
	Listener net.Listener
	Server   *http.Server
	Drain    time.Duration // 0: they are cut off, as event streams must be
}

// Until serves all doors until ctx ends, then lets each drain, and returns when all are closed.
// A door that dies on its own ends the others, too, and its error is returned: the program never
// stays up with a door missing.
func Until(ctx context.Context, doors ...Door) error {
	died := make(chan error, len(doors))
	for _, d := range doors {
		go func() {
			if err := d.Server.Serve(d.Listener); !errors.Is(err, http.ErrServerClosed) {
				died <- fmt.Errorf("serving %s: %w", d.Name, err)
			}
		}()
	}
	var failed error
	select {
	case <-ctx.Done():
	case failed = <-died:
	}
	var closing sync.WaitGroup
	for _, d := range doors {
		closing.Go(d.close)
	}
	closing.Wait()
	return failed
}

// close waits for Shutdown, not for Serve, which returns at once. The listener is closed by hand
// as well: a Shutdown that comes before Serve knows nothing of it.
func (d Door) close() {
	_ = d.Listener.Close()
	if d.Drain > 0 {
		ctx, cancel := context.WithTimeout(context.Background(), d.Drain)
		defer cancel()
		if d.Server.Shutdown(ctx) == nil {
			return
		}
	}
	_ = d.Server.Close()
}

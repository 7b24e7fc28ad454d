package hooks

import (
	"context"
	"fmt"
)

// Done is a step that was made, or why it was not.
type Done struct {
	Step
	Now Hook // as it is afterwards; zero of a removal
	Err error
}

// Apply makes the steps of a plan, one after the other, and notes them in the book. A step that
// fails does not keep the others back; told hears each. The error names how many failed.
func Apply(ctx context.Context, c Client, b *Book, p Plan, told func(Done)) error {
	failed := 0
	var first error
	for _, s := range p {
		if s.Do == Leave {
			continue
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("changing the webhooks: %w", err)
		}
		now, err := apply(ctx, c, b, s)
		if err != nil {
			if failed++; first == nil {
				first = err
			}
		}
		told(Done{s, now, err})
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d changes failed: %w", failed, p.Changes(), first)
	}
	return nil
}

func apply(ctx context.Context, c Client, b *Book, s Step) (Hook, error) {
	on := true
	switch s.Do {
	case Add:
		return Register(ctx, c, b, s.Hook.Scope, s.To, BySync)
	case Repoint:
		h, err := c.Update(ctx, s.Hook.ID, Change{Destination: s.To, Active: &on})
		return h, noted(b, c.Store, h, err)
	case Enable:
		return c.Update(ctx, s.Hook.ID, Change{Active: &on})
	case Remove:
		err := c.Delete(ctx, s.Hook.ID)
		if err == nil {
			err = b.Gone(c.Store, s.Hook.ID)
		}
		return Hook{}, err
	}
	return s.Hook, nil
}

// Register makes a registration with our mark and remembers it.
func Register(ctx context.Context, c Client, b *Book, scope, destination string, who Maker) (Hook, error) {
	headers, err := b.Headers(who)
	if err != nil {
		return Hook{}, err
	}
	h, err := c.Add(ctx, scope, destination, headers)
	if err != nil {
		return h, err
	}
	return h, b.Made(c.Store, h, who)
}

// noted keeps the path of a registration of ours up to date.
func noted(b *Book, store string, h Hook, err error) error {
	if err != nil {
		return err
	}
	who := b.Maker(store)(h)
	if who == Stranger {
		who = ByHand // adopted: the next sync need not be told again
	}
	return b.Made(store, h, who)
}

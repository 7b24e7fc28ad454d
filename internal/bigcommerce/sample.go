package bigcommerce

import (
	"crypto/sha1" // a webhook's hash has forty hex digits and protects nothing
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"time"
)

// SampleWebhook makes a valid delivery body of an event. In set, "data.id" and the like change
// the example, store_id, hash, created_at and producer the envelope, and channel_id the channel
// of an event that has one (1 otherwise); see [SetJSON] for paths and types. An unknown event is
// an *UnknownEventError.
func SampleWebhook(scope, store string, at time.Time, set map[string]string) ([]byte, error) {
	if !ValidStoreHash(store) {
		return nil, fmt.Errorf("making a sample of %s: %q is not a store hash", oneLine(scope, 80), oneLine(store, 40))
	}
	event, near, ok := FindEvent(scope)
	if !ok {
		return nil, &UnknownEventError{Scope: oneLine(scope, 80), Nearest: near}
	}
	if strings.Contains(scope, "{") { // the template itself was asked for
		channel := set["channel_id"]
		if channel == "" {
			channel = "1"
		}
		if !digits(channel) {
			return nil, fmt.Errorf("making a sample of %s: channel_id must be a number", scope)
		}
		scope = strings.Replace(event.Scope, channelSegment, channel, 1)
	}
	body := object{
		{"scope", encode(strings.TrimSuffix(strings.TrimSpace(scope), "/"))}, {"store_id", encode(sampleStoreID(store))},
		{"data", event.Example}, {"hash", encode("")},
		{"created_at", encode(at.Unix())}, {"producer", encode("stores/" + store)},
	}
	return change(body, set)
}

func change(body object, set map[string]string) ([]byte, error) {
	doc := body.bytes()
	for _, path := range slices.Sorted(maps.Keys(set)) {
		first, _, _ := strings.Cut(path, ".")
		if first == "channel_id" {
			continue
		}
		if _, known := body.get(first); !known || first == "scope" {
			return nil, fmt.Errorf("setting %s: a webhook has data, store_id, hash, created_at and producer; start the path with data", oneLine(path, 80))
		}
		var err error
		if doc, err = SetJSON(doc, path, set[path]); err != nil {
			return nil, err
		}
	}
	if _, given := set["hash"]; given {
		return doc, nil
	}
	sum := sha1.Sum(doc)
	return SetJSON(doc, "hash", hex.EncodeToString(sum[:]))
}

// sampleStoreID makes the numeric id that goes with a store hash on this machine: seven digits,
// always the same for one hash.
func sampleStoreID(store string) string {
	h := fnv.New32a()
	h.Write([]byte(store))
	return fmt.Sprint(1000000 + h.Sum32()%9000000)
}

// UnknownEventError says that no documented event has this name.
type UnknownEventError struct {
	Scope   string
	Nearest []string
}

func (e *UnknownEventError) Error() string {
	return fmt.Sprintf("there is no webhook event %q", e.Scope)
}

// Hint names the nearest events.
func (e *UnknownEventError) Hint() string {
	if len(e.Nearest) == 0 {
		return "bcdev trigger --list shows all events"
	}
	return "did you mean " + strings.Join(e.Nearest, " or ") + "?"
}

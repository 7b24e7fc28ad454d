package hooks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

const (
	pageSize    = 100
	pagesAtMost = 50
	answerLimit = 4 << 20 // bytes of one answer
)

// Client talks about one store's registrations. BigCommerce shows a client only the
// registrations that were made with its own client id.
type Client struct {
	HTTP  *http.Client // adds the credentials
	API   *url.URL     // https://api.bigcommerce.com
	Store string       // hash
}

// List returns all registrations, in the order of the API.
func (c Client) List(ctx context.Context) ([]Hook, error) {
	var all []Hook
	for page := 1; page <= pagesAtMost; page++ {
		body, err := c.call(ctx, http.MethodGet, "?limit="+strconv.Itoa(pageSize)+"&page="+strconv.Itoa(page), nil)
		if err != nil {
			return nil, fmt.Errorf("listing the webhooks: %w", err)
		}
		found, pages, err := readPage(body)
		if err != nil {
			return nil, fmt.Errorf("listing the webhooks: %w", err)
		}
		all = append(all, found...)
		if page >= pages {
			break
		}
	}
	return all, nil
}

// readPage reads a list in its envelope, or bare as the overview of the documentation prints it.
func readPage(body []byte) (found []Hook, pages int, err error) {
	var in struct {
		Data []Hook `json:"data"`
		Meta struct {
			Pagination struct {
				TotalPages int `json:"total_pages"`
			} `json:"pagination"`
		} `json:"meta"`
	}
	if trimmed := bytes.TrimSpace(body); len(trimmed) > 0 && trimmed[0] == '[' {
		err = json.Unmarshal(trimmed, &in.Data)
	} else {
		err = json.Unmarshal(body, &in)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("reading the answer: %w", err)
	}
	return in.Data, in.Meta.Pagination.TotalPages, nil
}

// Admin is what the platform thinks of a client's registrations.
type Admin struct {
	Emails  []string  `json:"emails"` // who hears that one was switched off
	Hooks   []Hook    `json:"hooks_list"`
	Blocked []Blocked `json:"blocked_domains"`
}

// Admin asks for the state of the registrations and for blocked domains.
func (c Client) Admin(ctx context.Context) (Admin, error) {
	var in struct {
		Data Admin `json:"data"`
	}
	body, err := c.call(ctx, http.MethodGet, "/admin", nil)
	if err == nil {
		err = json.Unmarshal(body, &in)
	}
	if err != nil {
		return Admin{}, fmt.Errorf("asking for the state of the webhooks: %w", err)
	}
	return in.Data, nil
}

// Look is List with the platform's word on each registration, and the domains it does not
// deliver to. Without that word the registrations alone are returned, and why.
func (c Client) Look(ctx context.Context) (found []Hook, blocked []Blocked, unknown, err error) {
	if found, err = c.List(ctx); err != nil {
		return nil, nil, nil, err
	}
	admin, unknown := c.Admin(ctx)
	status := map[int64]string{}
	for _, h := range admin.Hooks {
		status[h.ID] = h.Status
	}
	for i := range found {
		found[i].Status = status[found[i].ID]
	}
	return found, admin.Blocked, unknown, nil
}

// Add makes an active registration and returns it as the platform keeps it.
func (c Client) Add(ctx context.Context, scope, destination string, headers map[string]string) (Hook, error) {
	h, err := c.hook(ctx, http.MethodPost, "", map[string]any{
		"scope": scope, "destination": destination, "is_active": true, "headers": headers,
	})
	if err != nil {
		return h, fmt.Errorf("adding a webhook for %s: %w", scope, err)
	}
	return h, nil
}

// Change is what becomes different of a registration. Zero fields stay.
type Change struct {
	Destination string
	Active      *bool
}

// Update changes a registration.
func (c Client) Update(ctx context.Context, id int64, change Change) (Hook, error) {
	fields := map[string]any{}
	if change.Destination != "" {
		fields["destination"] = change.Destination
	}
	if change.Active != nil {
		fields["is_active"] = *change.Active
	}
	h, err := c.hook(ctx, http.MethodPut, "/"+strconv.FormatInt(id, 10), fields)
	if err != nil {
		return h, fmt.Errorf("changing webhook %d: %w", id, err)
	}
	return h, nil
}

// Delete removes a registration. One that is gone already is no error.
func (c Client) Delete(ctx context.Context, id int64) error {
	_, err := c.call(ctx, http.MethodDelete, "/"+strconv.FormatInt(id, 10), nil)
	var refused *APIError
	if errors.As(err, &refused) && refused.Status == http.StatusNotFound {
		return nil
	}
	if err != nil {
		return fmt.Errorf("deleting webhook %d: %w", id, err)
	}
	return nil
}

func (c Client) hook(ctx context.Context, method, path string, fields map[string]any) (Hook, error) {
	body, err := c.call(ctx, method, path, fields)
	if err != nil {
		return Hook{}, err
	}
	var in struct {
		Data *Hook `json:"data"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return Hook{}, fmt.Errorf("reading the answer: %w", err)
	}
	if in.Data != nil && in.Data.ID != 0 {
		return *in.Data, nil
	}
	var bare Hook // as the overview of the documentation prints it
	if err := json.Unmarshal(body, &bare); err != nil || bare.ID == 0 {
		return Hook{}, errNoHook
	}
	return bare, nil
}

// call makes one call and returns the body of its answer; anything but 2xx is an *APIError.
func (c Client) call(ctx context.Context, method, path string, fields map[string]any) ([]byte, error) {
	var body io.Reader
	if fields != nil {
		text, err := json.Marshal(fields)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	address := strings.TrimSuffix(c.API.String(), "/") + "/stores/" + url.PathEscape(c.Store) + "/v3/hooks" + path
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	if fields != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := c.HTTP.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, answerLimit))
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return nil, refusal(res, answer)
	}
	return answer, nil
}

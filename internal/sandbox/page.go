package sandbox

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

const (
	pageSize = 50
	pageMax  = 250
)

// window is which part of a list was asked for.
type window struct{ page, limit int }

// askedWindow reads page and limit. BigCommerce answers 413 to a limit that is too high.
func askedWindow(q url.Values) (window, *reply) {
	w := window{page: 1, limit: pageSize}
	for name, at := range map[string]*int{"page": &w.page, "limit": &w.limit} {
		if !q.Has(name) {
			continue
		}
		n, err := strconv.Atoi(q.Get(name))
		if err != nil || n < 1 || n > 1<<31 {
			bad := unprocessable(name, "must be a whole number of 1 or more")
			return w, &bad
		}
		*at = n
	}
	if w.limit > pageMax {
		bad := refuse(http.StatusRequestEntityTooLarge,
			fmt.Sprintf("The limit must be %d or less.", pageMax))
		return w, &bad
	}
	return w, nil
}

// cut is the part of items that w asks for.
func cut[T any](items []T, w window) []T {
	if (w.page - 1) > len(items)/w.limit {
		return []T{}
	}
	from := min((w.page-1)*w.limit, len(items))
	return items[from:min(from+w.limit, len(items))]
}

// pagination is V3's account of a list. Its links are query strings only.
type pagination struct {
	Total       int       `json:"total"`
	Count       int       `json:"count"`
	PerPage     int       `json:"per_page"`
	CurrentPage int       `json:"current_page"`
	TotalPages  int       `json:"total_pages"`
	Links       pageLinks `json:"links"`
}

type pageLinks struct {
	Previous *string `json:"previous"`
	Current  string  `json:"current"`
	Next     *string `json:"next"`
}

type pageMeta struct {
	Pagination pagination `json:"pagination"`
}

// listV3 is one page of items in V3's envelope.
func listV3[T any](items []T, q url.Values) reply {
	w, bad := askedWindow(q)
	if bad != nil {
		return *bad
	}
	part := cut(items, w)
	if part == nil {
		part = []T{}
	}
	pages := max((len(items)+w.limit-1)/w.limit, 1)
	p := pagination{
		Total: len(items), Count: len(part), PerPage: w.limit, CurrentPage: w.page, TotalPages: pages,
		Links: pageLinks{Current: pageLink(q, w.page, w.limit)},
	}
	if w.page > 1 {
		link := pageLink(q, w.page-1, w.limit)
		p.Links.Previous = &link
	}
	if w.page < pages {
		link := pageLink(q, w.page+1, w.limit)
		p.Links.Next = &link
	}
	return reply{status: http.StatusOK, body: envelope{part, pageMeta{p}}}
}

// listV2 is one page of items as V2 sends it: a bare list, and 204 instead of an empty one.
func listV2[T any](items []T, q url.Values) reply {
	w, bad := askedWindow(q)
	if bad != nil {
		return refuseV2(http.StatusBadRequest, "The field 'page' or 'limit' is invalid.")
	}
	part := cut(items, w)
	if len(part) == 0 {
		return noContent()
	}
	return bare(part)
}

func pageLink(q url.Values, page, limit int) string {
	rest := url.Values{}
	for name, values := range q {
		if name != "page" && name != "limit" {
			rest[name] = values
		}
	}
	link := fmt.Sprintf("?page=%d&limit=%d", page, limit)
	if len(rest) > 0 {
		link += "&" + rest.Encode()
	}
	return link
}

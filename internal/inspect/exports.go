package inspect

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"bcdev/capture"
)

// forms are what an exchange can be written as; the first two also take several.
var forms = []string{"har", "postman", "curl", "http", "fetch", "go", "php", "powershell", "fixture"}

// File is one file of an export. A Postman export has two: the collection and its environment.
type File struct {
	Name string // "exchange-17.har"
	Type string // media type
	Body []byte
}

// mostExported bounds an export, in exchanges.
const mostExported = 1000

func (w *window) serveExportOne(rw http.ResponseWriter, r *http.Request) {
	e, err := w.get(r, "id")
	if err != nil {
		fail(rw, r, err)
		return
	}
	w.export(rw, r, []capture.Exchange{e}, "exchange-"+strconv.FormatInt(e.ID, 10))
}

// serveExportMany writes a selection (ids=1,2,3) or what a filter finds.
func (w *window) serveExportMany(rw http.ResponseWriter, r *http.Request) {
	chosen, err := w.chosen(r)
	if err != nil {
		fail(rw, r, err)
		return
	}
	if len(chosen) == 0 {
		fail(rw, r, refuse(http.StatusNotFound, "nothing", "no exchange matches", "widen the filter"))
		return
	}
	slices.Reverse(chosen)
	w.export(rw, r, chosen, "exchanges")
}

func (w *window) chosen(r *http.Request) ([]capture.Exchange, error) {
	q, err := w.queryOf(r.URL.Query())
	if err != nil {
		return nil, err
	}
	if ids := r.URL.Query().Get("ids"); ids != "" {
		return w.byID(r, ids)
	}
	q.Bodies = true
	if r.URL.Query().Get("limit") == "" {
		q.Limit = mostExported
	}
	return w.o.Journal.Find(r.Context(), q)
}

// byID reads a selection, newest first.
func (w *window) byID(r *http.Request, list string) ([]capture.Exchange, error) {
	parts := strings.Split(list, ",")
	if len(parts) > mostExported {
		return nil, refuse(http.StatusBadRequest, "too_many", fmt.Sprintf("more than %d are chosen", mostExported), "choose fewer, or use a filter")
	}
	var ids []int64
	for _, part := range parts {
		id, err := strconv.ParseInt(part, 10, 64)
		if err != nil || id < 1 {
			return nil, refuse(http.StatusBadRequest, "bad_parameter", "ids is no list of numbers", "write ids=17,18,21")
		}
		ids = append(ids, id)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	slices.Reverse(ids)
	var chosen []capture.Exchange
	for _, id := range ids {
		e, err := w.o.Journal.Get(r.Context(), strconv.FormatInt(id, 10))
		if err != nil {
			return nil, err
		}
		chosen = append(chosen, e)
	}
	return chosen, nil
}

// export answers with a file to save, or with text to copy. A Postman export has two parts; part
// chooses one.
func (w *window) export(rw http.ResponseWriter, r *http.Request, es []capture.Exchange, name string) {
	as := firstOf(r.URL.Query().Get("as"), "har")
	switch {
	case w.o.Export == nil:
		fail(rw, r, notHere("exporting"))
		return
	case !slices.Contains(forms, as):
		fail(rw, r, refuse(http.StatusBadRequest, "bad_form", "there is no such form of export", "as is one of "+strings.Join(forms, ", ")))
		return
	case len(es) > 1 && !slices.Contains(forms[:2], as):
		fail(rw, r, refuse(http.StatusBadRequest, "bad_form", as+" takes one exchange", "choose har or postman for several"))
		return
	}
	files, err := w.o.Export(es, as)
	if err != nil {
		fail(rw, r, err)
		return
	}
	f := files[0]
	if r.URL.Query().Get("part") == "environment" && len(files) > 1 {
		f = files[1]
	}
	attach(rw, name+f.Name, f.Type, f.Body)
}

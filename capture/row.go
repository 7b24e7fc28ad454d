package capture

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// rowColumns are read by [fromRow], in this order; two bodies may follow.
const rowColumns = `e.id, e.door, e.kind, topic.text, e.store, e.at, e.took, e.first, e.method, target.text,
	e.host, e.proto, e.remote, e.status, err.text, e.of, e.via, e.attempt, e.verdict, hint.text, e.marks, e.detail,
	e.sealed, message.head`

const rowTables = ` FROM exchange e JOIN target ON target.id = e.target
	LEFT JOIN word topic ON topic.id = e.topic LEFT JOIN word err ON err.id = e.err
	LEFT JOIN word hint ON hint.id = e.hint LEFT JOIN message ON message.id = e.id `

const (
	selectRows   = "SELECT " + rowColumns + rowTables
	selectBodies = "SELECT " + rowColumns + ", message.request, message.response" + rowTables
)

// fromRow makes an exchange of a row, with copies of its blobs, and returns the sealed target.
func fromRow(row []driver.Value) (e Exchange, sealed []byte, err error) {
	e = Exchange{
		ID: asInt(row[0]), Door: Door(asString(row[1])), Kind: Kind(asString(row[2])), Topic: asString(row[3]),
		Store: asString(row[4]), At: time.Unix(0, asInt(row[5])).UTC(),
		Took: time.Duration(asInt(row[6])), First: time.Duration(asInt(row[7])),
		Method: asString(row[8]), Target: asString(row[9]), Host: asString(row[10]), Proto: asString(row[11]),
		Remote: asString(row[12]), Status: int(asInt(row[13])), Err: asString(row[14]), Of: asInt(row[15]),
		Via: asString(row[16]), Attempt: int(asInt(row[17])), Verdict: asString(row[18]), Hint: asString(row[19]),
	}
	if marks := asString(row[20]); marks != "" {
		e.Marks = strings.Split(marks, "\n")
	}
	if detail := asBytes(row[21]); len(detail) > 0 {
		e.Detail = json.RawMessage(slices.Clone(detail))
	}
	sealed = slices.Clone(asBytes(row[22]))
	e.Sealed = len(sealed) > 0
	e.Request, e.Response, err = readHead(asBytes(row[23]))
	if err != nil {
		return e, sealed, fmt.Errorf("reading exchange %d: %w", e.ID, err)
	}
	if len(row) > 24 {
		e.Request.Body = slices.Clone(asBytes(row[24]))
		e.Response.Body = slices.Clone(asBytes(row[25]))
	}
	return e, sealed, nil
}

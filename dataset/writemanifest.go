package dataset

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// WriteManifest writes the split as JSON, {"train": [ids], "val": [ids], "test": [ids]} in the order of the rows, and with hashes "hash", an object with
// Row.Hash by id: what each row says. Rows are gone through and not kept; the same split gives the same bytes.
func (p Parts) WriteManifest(w io.Writer, hashes bool) error {
	out := bufio.NewWriterSize(w, 1<<16)
	comma := "{"
	for i, part := range p.byName() {
		fmt.Fprintf(out, "%s\n %q: [", comma, partNames[i])
		if err := writeEntries(out, []View{part}, func(r Row) string { return quote(r.ID) }); err != nil {
			return err
		}
		comma = "]," // a part without rows is []
	}
	closing := "]"
	if parts := p.byName(); hashes {
		out.WriteString("],\n \"hash\": {")
		err := writeEntries(out, parts[:], func(r Row) string { return quote(r.ID) + `: "` + r.Hash() + `"` })
		if err != nil {
			return err
		}
		closing = "}"
	}
	out.WriteString(closing + "\n}\n")
	return out.Flush() // has the first error of all writes
}

// writeEntries writes an entry for each row, one a line, with commas between.
func writeEntries(out *bufio.Writer, views []View, entry func(Row) string) error {
	between := "\n  "
	for _, v := range views {
		for r, err := range v.raw().All() { // the hashes are of what the files say
			if err != nil {
				return err
			}
			out.WriteString(between)
			out.WriteString(entry(r))
			between = ",\n  "
		}
	}
	if between != "\n  " {
		out.WriteString("\n ")
	}
	return nil
}

// quote is s as JSON, with no character escaped that needs not be.
func quote(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.Encode(s) // cannot fail: it is a string, and b takes all
	return strings.TrimSuffix(b.String(), "\n")
}

package dataset

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// following is a split by a manifest (Parts.WriteManifest says what that is), which is read as a stream: what is kept of it are indices of rows.
type following struct {
	rows    View
	index   []int32 // by row of the table: that in rows, -1 for none
	part    []uint8 // by row of the table: 1 + the part that lists it, 0 for none
	lists   [3][]int32
	listed  [3]int  // ids in the manifest
	unknown someIDs // that no row has
	changed []int32 // rows of the table that do not hash to what the manifest says
	report  *Report
}

// someIDs are a number of ids, the first of which are named.
type someIDs struct {
	n     int
	first []string
}

func (s *someIDs) add(id string) {
	if s.n++; len(s.first) < 10 {
		s.first = append(s.first, id)
	}
}

// follow divides the rows as the manifest says, each part in its order. Rows that it does not list are left out and
// counted. Ids that no row has (and that cleaning did not drop), rows that do not hash to what it says, and a
// listed part of which no row is left are errors. A group that it puts on two sides is noted in report. train, val and test must be there
// (perhaps as []), ids are strings or numbers, no id is listed twice, and keys other than hash are ignored.
func follow(manifest io.Reader, rows View, group string, report *Report) (Parts, error) {
	f := &following{rows: rows, index: rows.index(), part: make([]uint8, rows.table.Len()), report: report}
	if err := f.read(json.NewDecoder(manifest)); err != nil {
		return Parts{}, err
	}
	parts := Parts{rows.Pick(f.lists[0]), rows.Pick(f.lists[1]), rows.Pick(f.lists[2])}
	if err := f.misfit(parts); err != nil {
		return Parts{}, err
	}
	i := 0
	for r, err := range rows.All() {
		if err != nil {
			return Parts{}, err
		}
		if f.part[rows.at[i]] == 0 {
			report.drop(notInManifest, r.ID)
		}
		i++
	}
	by, err := grouping(rows, group)
	if err != nil {
		return Parts{}, err
	}
	return parts, noteSides(parts, by, report)
}

// read reads the manifest.
func (f *following) read(d *json.Decoder) error {
	if err := begin(d, '{', ""); err != nil {
		return fmt.Errorf("expected an object of train, val and test: %w", err)
	}
	have := map[string]bool{}
	for d.More() {
		tok, err := d.Token()
		if err != nil {
			return jsonError(err)
		}
		name, _ := tok.(string)
		have[name] = true
		switch p := slices.Index(partNames[:], name); {
		case p >= 0:
			err = f.list(d, p)
		case name == "hash":
			err = f.hashes(d)
		default:
			err = jsonError(d.Decode(new(json.RawMessage)))
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if _, err := d.Token(); err != nil {
		return jsonError(err)
	}
	for _, part := range partNames {
		if !have[part] {
			return fmt.Errorf("missing key %q (have: %s); a part without rows is []", part, strings.Join(slices.Sorted(maps.Keys(have)), ", "))
		}
	}
	return nil
}

// begin reads the begin of a list or an object, of which message says what it is of.
func begin(d *json.Decoder, delim json.Delim, message string) error {
	tok, err := d.Token()
	if err != nil {
		return jsonError(err)
	}
	if tok == delim {
		return nil
	}
	found := fmt.Sprint(tok)
	switch v := tok.(type) {
	case json.Delim:
		if found = "a list"; v == '{' {
			found = "an object"
		}
	case string:
		found = "a string"
	case float64:
		found = "a number"
	case nil:
		found = "null"
	}
	return errors.New(message + "found " + found)
}

// list reads the ids of a part.
func (f *following) list(d *json.Decoder, p int) error {
	if err := begin(d, '[', "expected a list of ids, "); err != nil {
		return err
	}
	var raw json.RawMessage
	for d.More() {
		if err := d.Decode(&raw); err != nil {
			return jsonError(err)
		}
		f.listed[p]++
		id, err := record{fields: map[string]any{"id": raw}}.scalar("id")
		if err == nil && id == "" {
			err = errors.New("expected an id, found nothing")
		}
		if err != nil {
			return fmt.Errorf("entry %d: %w", f.listed[p], err)
		}
		if err := f.add(p, id); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return jsonError(err)
}

// add puts a row into a part.
func (f *following) add(p int, id string) error {
	row, ok := f.rows.table.find(id)
	if !ok {
		f.unknown.add(id)
		return nil
	}
	switch was := int(f.part[row]) - 1; {
	case was == p:
		return fmt.Errorf("id %q is listed twice in %s", id, partNames[p])
	case was >= 0:
		return fmt.Errorf("id %q is in %s and in %s", id, partNames[was], partNames[p])
	}
	f.part[row] = uint8(p + 1)
	if i := f.index[row]; i >= 0 {
		f.lists[p] = append(f.lists[p], i)
	} else {
		f.report.note(dropInManifest, id)
	}
	return nil
}

// hashes reads what rows should say and compares it with what they say.
func (f *following) hashes(d *json.Decoder) error {
	if err := begin(d, '{', "expected an object of id and sha256: "); err != nil {
		return err
	}
	c := cursor{table: f.rows.table}
	for d.More() {
		id, err := d.Token()
		if err != nil {
			return jsonError(err)
		}
		var want string
		if err := d.Decode(&want); err != nil {
			return fmt.Errorf("expected an object of id and sha256: %w", jsonError(err))
		}
		row, ok := f.rows.table.find(fmt.Sprint(id))
		if !ok || f.index[row] < 0 {
			continue
		}
		r, err := c.at(row)
		if err != nil {
			return err
		}
		if want != r.Hash() {
			f.changed = append(f.changed, int32(row))
		}
	}
	_, err := d.Token()
	return jsonError(err)
}

// index gives the index in the view of each row of its table, -1 for those that the view has not.
func (v View) index() []int32 {
	index := make([]int32, v.table.Len())
	for i := range index {
		index[i] = -1
	}
	for i, row := range v.at {
		index[row] = int32(i)
	}
	return index
}

// misfit returns an error if the manifest does not fit the rows.
func (f *following) misfit(parts Parts) error {
	total := f.listed[0] + f.listed[1] + f.listed[2]
	if n := f.unknown.n; n > 0 {
		return fmt.Errorf("%d of its %d ids are not in the data: %s", n, total, examples(f.unknown.first))
	}
	var changed someIDs
	for _, row := range f.changed {
		if f.part[row] == 0 {
			continue
		}
		r, err := f.rows.table.At(int(row))
		if err != nil {
			return err
		}
		changed.add(r.ID)
	}
	if changed.n > 0 {
		return fmt.Errorf("%d of its %d rows have changed, their hash is not the one it has: %s", changed.n, total, examples(changed.first))
	}
	left := parts.byName()
	for p, n := range f.listed {
		if n > 0 && left[p].Len() == 0 {
			return fmt.Errorf("the %s part is empty: cleaning dropped all of the %d rows listed for it, %d rows are left in all; list others",
				partNames[p], n, f.rows.Len())
		}
	}
	return nil
}

// noteSides notes the groups that are in more than one part, in order of their names.
func noteSides(parts Parts, group func(Row) string, report *Report) error {
	side := map[string]int{}
	var both []string
	for p, rows := range parts.byName() {
		for r, err := range rows.All() {
			if err != nil {
				return err
			}
			g := group(r)
			was, ok := side[g]
			if !ok {
				side[g] = p
			} else if was >= 0 && was != p {
				both = append(both, g)
				side[g] = -1
			}
		}
	}
	slices.Sort(both)
	for _, g := range both {
		report.note(groupOnTwoSides, g)
	}
	return nil
}

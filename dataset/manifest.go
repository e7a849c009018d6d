package dataset

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Manifest is a split written down: the ids of each part, in order, and what the rows said.
type Manifest struct {
	Train []string `json:"train"`
	Val   []string `json:"val"`
	Test  []string `json:"test"`
	// Hash has Row.Hash by id; ids may be missing, and a manifest without any has no such key.
	Hash map[string]string `json:"hash,omitempty"`
}

// byName returns the lists in the order of partNames.
func (m Manifest) byName() [3][]string { return [3][]string{m.Train, m.Val, m.Test} }

// readManifest decodes a manifest. train, val and test must be there (perhaps as []), ids are strings or
// numbers, no id is listed twice, and keys other than hash are ignored.
func readManifest(data []byte) (Manifest, error) {
	fields, err := jsonFields(data)
	if err != nil {
		return Manifest{}, fmt.Errorf("expected an object of train, val and test: %w", err)
	}
	rec := record{fields: fields}
	lists := [3][]string{}
	in := map[string]string{} // id -> its part
	for i, part := range partNames {
		raw, ok := fields[part].(json.RawMessage)
		if !ok {
			return Manifest{}, fmt.Errorf("missing key %q (%s); a part without rows is []", part, rec.have())
		}
		if lists[i], err = readIDs(raw); err != nil {
			return Manifest{}, fmt.Errorf("%s: %w", part, err)
		}
		for _, id := range lists[i] {
			switch was := in[id]; was {
			case "":
				in[id] = part
			case part:
				return Manifest{}, fmt.Errorf("id %q is listed twice in %s", id, part)
			default:
				return Manifest{}, fmt.Errorf("id %q is in %s and in %s", id, was, part)
			}
		}
	}
	m := Manifest{Train: lists[0], Val: lists[1], Test: lists[2]}
	if raw, ok := fields["hash"].(json.RawMessage); ok {
		if err := json.Unmarshal(raw, &m.Hash); err != nil {
			return Manifest{}, fmt.Errorf("hash: expected an object of id and sha256: %w", err)
		}
	}
	return m, nil
}

// readIDs decodes a list of strings and numbers.
func readIDs(raw json.RawMessage) ([]string, error) {
	if k := kind(raw); k != "a list" {
		return nil, fmt.Errorf("expected a list of ids, found %s", k)
	}
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, err
	}
	ids := make([]string, len(list))
	for i, v := range list {
		id, err := record{fields: map[string]any{"id": v}}.scalar("id")
		if err == nil && id == "" {
			err = errors.New("expected an id, found nothing")
		}
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", i+1, err)
		}
		ids[i] = id
	}
	return ids, nil
}

// follow divides the rows as m says, each part in m's order. Rows that m does not list are left out and
// counted. Ids that no row has (and that cleaning did not drop), rows that do not hash to what m says, and a
// listed part of which no row is left are errors. A group that m puts on two sides is noted in report.
func (m Manifest) follow(rows View, group string, report *Report) (Parts, error) {
	index := rows.index()
	used := make([]bool, rows.Len())
	lists := [3][]int32{}
	var unknown, changed []string
	for p, ids := range m.byName() {
		for _, id := range ids {
			row, ok := rows.table.find(id)
			if !ok {
				unknown = append(unknown, id)
				continue
			}
			i := index[row]
			if i < 0 {
				report.note(dropInManifest, id)
				continue
			}
			used[i] = true
			lists[p] = append(lists[p], i)
			h, ok := m.Hash[id]
			if !ok {
				continue
			}
			r, err := rows.raw().At(int(i))
			if err != nil {
				return Parts{}, err
			}
			if h != r.Hash() {
				changed = append(changed, id)
			}
		}
	}
	parts := Parts{rows.Pick(lists[0]), rows.Pick(lists[1]), rows.Pick(lists[2])}
	if err := m.misfit(rows.Len(), parts, unknown, changed); err != nil {
		return Parts{}, err
	}
	i := 0
	for r, err := range rows.All() {
		if err != nil {
			return Parts{}, err
		}
		if !used[i] {
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

// misfit returns an error if the manifest does not fit the rows, of which there are so many.
func (m Manifest) misfit(rows int, parts Parts, unknown, changed []string) error {
	total := len(m.Train) + len(m.Val) + len(m.Test)
	if len(unknown) > 0 {
		return fmt.Errorf("%d of its %d ids are not in the data: %s", len(unknown), total, examples(unknown))
	}
	if len(changed) > 0 {
		return fmt.Errorf("%d of its %d rows have changed, their hash is not the one it has: %s", len(changed), total, examples(changed))
	}
	left := parts.byName()
	for p, ids := range m.byName() {
		if len(ids) > 0 && left[p].Len() == 0 {
			return fmt.Errorf("the %s part is empty: cleaning dropped all of the %d rows listed for it, %d rows are left in all; list others",
				partNames[p], len(ids), rows)
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

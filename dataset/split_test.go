package dataset

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// qa makes rows with ids r0, r1, … in n/perGroup groups.
func qa(n, perGroup int) []Row {
	rows := make([]Row, n)
	for i := range rows {
		rows[i] = Row{
			ID: fmt.Sprintf("r%d", i), Group: fmt.Sprintf("g%d", i/perGroup),
			Messages: user(fmt.Sprintf("question %d", i)), Answer: fmt.Sprintf("answer %d", i),
			File: "x.jsonl", Line: i + 1,
		}
	}
	return rows
}

func ids(rows []Row) []string {
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	return ids
}

// sides maps each row's id to the part it is in.
func sides(t *testing.T, p Parts) map[string]int {
	t.Helper()
	side := map[string]int{}
	for i, rows := range p.byName() {
		for _, r := range all(t, rows) {
			if _, ok := side[r.ID]; ok {
				t.Fatalf("row %s is in two parts", r.ID)
			}
			side[r.ID] = i
		}
	}
	return side
}

// shares fails the test unless the parts have about these shares of all groups.
func shares(t *testing.T, p Parts, groups int, group func(Row) string, want [3]float64) {
	t.Helper()
	for i, rows := range p.byName() {
		in := map[string]bool{}
		for _, r := range all(t, rows) {
			in[group(r)] = true
		}
		got := float64(len(in)) / float64(groups)
		if sd := math.Sqrt(want[i] * (1 - want[i]) / float64(groups)); math.Abs(got-want[i]) > 4*sd {
			t.Errorf("%s has %.3f of the groups, want %.3f ± %.3f", partNames[i], got, want[i], 4*sd)
		}
	}
}

func TestSplit_properties(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, how := range []string{"auto", "none", "column"} {
		for _, seed := range []uint64{0, 42, math.MaxUint64} {
			c := Default().Split
			c.Group, c.Seed = how, seed
			rows := qa(6000, 3)
			few, err := Split(view(rows[:3000]), c, Source{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			rng.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
			more, err := Split(view(rows), c, Source{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			group, err := grouping(view(rows), how)
			if err != nil {
				t.Fatal(err)
			}
			after := sides(t, more)
			if len(after) != len(rows) {
				t.Errorf("%s: %d rows of %d in the parts", how, len(after), len(rows))
			}
			for id, part := range sides(t, few) {
				if after[id] != part {
					t.Fatalf("%s: row %s moved from %d to %d when rows were added", how, id, part, after[id])
				}
			}
			of := map[string]int{}
			for _, r := range rows {
				if was, ok := of[group(r)]; ok && was != after[r.ID] {
					t.Fatalf("%s: group %s is on two sides", how, group(r))
				}
				of[group(r)] = after[r.ID]
			}
			shares(t, more, len(of), group, [3]float64{.7, .2, .1})
		}
	}
}

func TestSplit_seeds(t *testing.T) {
	c := Default().Split
	one, err := Split(view(qa(300, 1)), c, Source{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.Seed++
	other, err := Split(view(qa(300, 1)), c, Source{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if slices.Equal(ids(all(t, one.Test)), ids(all(t, other.Test))) {
		t.Error("two seeds give one split")
	}
}

func TestSplit_ratios(t *testing.T) {
	for _, ratio := range [][3]float64{{1, 0, 0}, {0, 0, 3}, {0, .1, 0}, {.5, 0, .5}, {1e300, 1e300, 0}, {98, 1, 1}} {
		c := SplitConfig{Train: ratio[0], Val: ratio[1], Test: ratio[2], Group: "none"}
		p, err := Split(view(qa(4000, 1)), c, Source{}, nil)
		if err != nil {
			t.Errorf("%v: %v", ratio, err)
			continue
		}
		sum := ratio[0] + ratio[1] + ratio[2]
		shares(t, p, 4000, func(r Row) string { return r.ID }, [3]float64{ratio[0] / sum, ratio[1] / sum, ratio[2] / sum})
	}
}

// The parts must stay what they are, or every run's test part would change with the next version.
func TestSplit_isPinned(t *testing.T) {
	p, err := Split(view(qa(20, 1)), Default().Split, Source{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{"val": {"r3", "r5", "r9", "r14"}, "test": {"r10", "r12", "r18"}}
	if d := cmp.Diff(want, map[string][]string{"val": ids(all(t, p.Val)), "test": ids(all(t, p.Test))}); d != "" {
		t.Error(d)
	}
}

func TestSplit_autoWithoutGroups(t *testing.T) {
	rows := qa(400, 1)
	rows[399].Group = "" // one row without: all go by question
	for i := range 200 {
		rows[i].Messages = user(strings.ReplaceAll(rows[i+200].Messages[0].Content, " ", "\n  "))
	}
	p, err := Split(view(rows), Default().Split, Source{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	side := sides(t, p)
	for i := range 200 {
		if a, b := rows[i].ID, rows[i+200].ID; side[a] != side[b] {
			t.Errorf("%s and %s ask the same but are in parts %d and %d", a, b, side[a], side[b])
		}
	}
}

func TestSplit_emptyPart(t *testing.T) {
	_, err := Split(view(qa(9, 9)), Default().Split, Source{}, nil)
	if err == nil {
		t.Fatal("no error")
	}
	for _, w := range []string{"part is empty: 9 rows in 1 groups, split 7:2:1", "data.split.group (now \"auto\")", "data.split.manifest"} {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q lacks %q", err, w)
		}
	}
}

func TestSplit_manifest(t *testing.T) {
	rows := qa(8, 2) // groups r0 r1, r2 r3, r4 r5, r6 r7
	rows[7].Answer = " "
	const name = "m.json"
	follow := func(manifest string) (Parts, *Report, error) {
		report := newReport(len(rows))
		kept := clean(t, view(rows), report)
		c := Default().Split
		c.Manifest = name
		p, err := Split(kept, c, files{name: manifest}.source(), report)
		return p, report, err
	}
	p, report, err := follow(`{"note": 1, "train": ["r3","r0"], "val": ["r2"], "test": ["r7","r5"], "hash": {"r5":"` + rows[5].Hash() + `"}}`)
	if err != nil {
		t.Fatal(err)
	}
	got := [][]string{ids(all(t, p.Train)), ids(all(t, p.Val)), ids(all(t, p.Test))}
	if d := cmp.Diff([][]string{{"r3", "r0"}, {"r2"}, {"r5"}}, got); d != "" {
		t.Error(d)
	}
	want := &Report{
		Rows: 8, Kept: 4,
		Dropped: map[string]int{"missing_answer": 1, "not_in_manifest": 3},
		Notes:   map[string]int{"group_on_two_sides": 1, "dropped_but_listed": 1},
		IDs: map[string][]string{
			"missing_answer": {"r7"}, "not_in_manifest": {"r1", "r4", "r6"}, "group_on_two_sides": {"g1"}, "dropped_but_listed": {"r7"},
		},
		Of: map[string][]string{}, Languages: map[string]int{"undecided": 7},
	}
	if d := cmp.Diff(want, report); d != "" {
		t.Error(d)
	}
	for _, c := range []struct{ title, manifest, want string }{
		{"unknown ids", `{"train":["r0","a","b"],"val":["c"],"test":["d"]}`, `m.json: 4 of its 5 ids are not in the data: "a", "b", "c", ...`},
		{"in two parts", `{"train":["r0"],"val":["r1"],"test":["r0"]}`, `id "r0" is in train and in test`},
		{"twice", `{"train":["r0","r0"],"val":[],"test":[]}`, `id "r0" is listed twice in train`},
		{"changed", `{"train":["r0"],"val":["r1"],"test":["r2"],"hash":{"r1":"00","r2":"` + rows[2].Hash() + `"}}`, `1 of its 3 rows have changed`},
		{"nothing left", `{"train":["r0"],"val":["r1"],"test":["r7"]}`, `the test part is empty: cleaning dropped all of the 1 rows`},
		{"missing part", `{"train":["r0"],"valid":["r1"],"test":["r2"]}`, `missing key "val" (have: test, train, valid)`},
		{"not a list", `{"train":["r0"],"val":{},"test":["r2"]}`, `val: expected a list of ids, found an object`},
		{"not an id", `{"train":["r0"],"val":[null],"test":["r2"]}`, `val: entry 1: expected an id`},
		{"list as id", `{"train":["r0"],"val":[[]],"test":["r2"]}`, `val: entry 1: field "id": expected a string or a number, found a list`},
		{"hash", `{"train":["r0"],"val":["r1"],"test":[],"hash":["a"]}`, `hash: expected an object`},
		{"not an object", `[]`, `expected an object of train, val and test: found a list`},
		{"not JSON", `{`, `ends too early`},
	} {
		if _, _, err := follow(c.manifest); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v, want %s", c.title, err, c.want)
		}
	}
}

// Manifest is a split written down.
type Manifest struct {
	Train, Val, Test []string
	Hash             map[string]string
}

// manifest is the split as written, and read again.
func manifest(t *testing.T, p Parts) Manifest {
	t.Helper()
	var b bytes.Buffer
	if err := p.WriteManifest(&b, true); err != nil {
		t.Fatal(err)
	}
	var m Manifest
	if err := json.Unmarshal(b.Bytes(), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestManifest_roundTrip(t *testing.T) {
	rows := qa(200, 2)
	rows[3].ID = `<"3">`
	c := Default().Split
	c.Val = 0
	want, err := Split(view(rows), c, Source{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var a, b bytes.Buffer
	for _, w := range []*bytes.Buffer{&a, &b} {
		if err := want.WriteManifest(w, true); err != nil {
			t.Fatal(err)
		}
	}
	if a.String() != b.String() {
		t.Error("two writings differ")
	}
	if !strings.Contains(a.String(), `"val": []`) || !strings.Contains(a.String(), `<\"3\">`) {
		t.Errorf("got %s", a.String())
	}
	slices.Reverse(rows)
	report := newReport(len(rows))
	c.Manifest = "split.json"
	got, err := Split(view(rows), c, files{"split.json": a.String()}.source(), report)
	if err != nil {
		t.Fatal(err)
	}
	if d := diff(manifest(t, want), manifest(t, got)); d != "" {
		t.Error(d)
	}
	if report.Kept != len(rows) || len(report.Notes) > 0 {
		t.Errorf("report: %+v", report)
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(a.Bytes(), &keys); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"hash", "test", "train", "val"}, slices.Sorted(maps.Keys(keys))); d != "" {
		t.Error(d)
	}
}

func TestRow_hash(t *testing.T) {
	r := Row{Messages: []Message{{Role: "system", Content: "s"}, {Role: "user", Content: "q"}}, Answer: "a"}
	// printf 'q\0a' | sha256sum
	if want := "0d317b0da1b1c6fe76b1ad797120192431caf034f7363db1c06609d7834cc144"; r.Hash() != want {
		t.Errorf("got %s, want %s", r.Hash(), want)
	}
}

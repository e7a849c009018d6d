package task

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"unicode/utf8"

	"ft/dataset"
	"ft/internal/keyed"
	"ft/tokenizer/chat"
)

// Task is a definition with its rows, ready to be asked.
type Task struct {
	*Definition
	items []item
}

// Len is the number of rows that are scored.
func (t *Task) Len() int { return len(t.items) }

// item is a row's questions to the model.
type item struct {
	at        string
	contexts  []string // of each continuation
	continued []string
	choices   []string // as the file gives them, without delimiter
	gold      []int    // the right ones among choices
}

// Prepare reads the task's rows and lays out their prompts; limit bounds their number, 0 takes all. Files are looked for from
// the task file's folder, then from the current one.
func (d *Definition) Prepare(limit int) (*Task, error) {
	rows, err := d.rows(d.Eval)
	if err != nil {
		return nil, err
	}
	b := &builder{d: d, known: map[string]bool{}}
	for _, r := range rows {
		b.learn(r)
	}
	if err := b.pool(rows); err != nil {
		return nil, fmt.Errorf("task: %s: %w", d.File, err)
	}
	if limit > 0 && limit < len(rows) {
		rows = rows[:limit]
	}
	if err := b.findInputs(rows[0]); err != nil {
		return nil, fmt.Errorf("task: %s: %w", d.File, err)
	}
	t := &Task{Definition: d}
	var errs []error
	for i, r := range rows {
		it, err := b.item(i, r)
		if err != nil {
			if errs = append(errs, fmt.Errorf("task: %s: %w", d.File, err)); len(errs) == maxErrors {
				break
			}
			continue
		}
		t.items = append(t.items, it)
	}
	return t, errors.Join(errs...)
}

// maxErrors bounds how many bad rows one error tells of.
const maxErrors = 10

// rows reads the rows of a split.
func (d *Definition) rows(split string) ([]*row, error) {
	var rows []*row
	for _, name := range d.Data[split] {
		objects, err := dataset.Objects(d.locate(name), dataset.Source{})
		if err != nil {
			return nil, fmt.Errorf("task: %s: %w", d.File, err)
		}
		typed(objects)
		for _, o := range objects {
			r := &row{at: o.At()}
			for _, k := range slices.Sorted(maps.Keys(o.Fields)) {
				r.fields = append(r.fields, chat.Field{Name: k, JSON: o.Fields[k]})
			}
			rows = append(rows, r)
		}
	}
	return rows, nil
}

// locate finds a data file: from the task file's folder, or else from the current one, where lm-eval looks.
func (d *Definition) locate(name string) string {
	if beside := filepath.Join(filepath.Dir(d.File), name); !filepath.IsAbs(name) && exists(beside) {
		return beside
	}
	return name
}

// Files are the data files that the task reads.
func (d *Definition) Files() []string {
	var files []string
	for _, split := range []string{d.Eval, d.ShotsOf} {
		if split == d.Eval || d.Shots > 0 && d.Samples == nil {
			for _, name := range d.Data[split] {
				files = append(files, d.locate(name))
			}
		}
	}
	return files
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// typed makes numbers of a CSV file's columns in which every cell is a whole one, as readers of CSV files in Python do.
func typed(objects []dataset.Object) {
	if len(objects) == 0 || !objects[0].CSV {
		return
	}
	for k := range objects[0].Fields {
		numbers := true
		cells := make([]string, len(objects))
		for i, o := range objects {
			json.Unmarshal(o.Fields[k], &cells[i]) // a string, as Objects made it
			_, err := strconv.Atoi(cells[i])
			numbers = numbers && err == nil
		}
		for i, o := range objects {
			if numbers {
				n, _ := strconv.Atoi(cells[i])
				o.Fields[k] = json.RawMessage(strconv.Itoa(n))
			}
		}
	}
}

// builder lays out rows.
type builder struct {
	d      *Definition
	known  map[string]bool // fields that some row has
	shots  []*row          // examples to choose from
	own    bool            // they are the rows that are scored
	inputs bool            // doc_to_text is the index of the right one among contexts, and doc_to_target what follows each
}

func (b *builder) learn(r *row) {
	for _, f := range r.fields {
		b.known[f.Name] = true
	}
}

// pool finds the rows that may be examples.
func (b *builder) pool(rows []*row) error {
	d := b.d
	if d.Shots == 0 {
		return nil
	}
	switch b.own = d.Samples == nil && d.ShotsOf == d.Eval; {
	case d.Samples != nil:
		for i, s := range d.Samples {
			r := &row{at: fmt.Sprintf("fewshot_config.samples[%d]", i)}
			for _, k := range slices.Sorted(maps.Keys(s)) {
				raw, err := json.Marshal(s[k])
				if err != nil {
					return fmt.Errorf("%s: %s: %w", r.at, k, err)
				}
				r.fields = append(r.fields, chat.Field{Name: k, JSON: raw})
			}
			b.shots = append(b.shots, r)
		}
	case b.own:
		b.shots = rows
	default:
		var err error
		if b.shots, err = d.rows(d.ShotsOf); err != nil {
			return err
		}
	}
	if d.Indices != nil {
		var some []*row
		for _, i := range d.Indices {
			if i >= len(b.shots) {
				return fmt.Errorf("fewshot_config.fewshot_indices: %d, there are %d rows", i, len(b.shots))
			}
			some = append(some, b.shots[i])
		}
		b.shots = some
	}
	for _, r := range b.shots {
		b.learn(r)
	}
	return nil
}

// examples chooses num_fewshot rows for row i, never one that is like it.
func (b *builder) examples(i int, r *row) ([]*row, error) {
	n := b.d.Shots
	var pool []*row
	for _, s := range b.shots {
		if !b.own || !same(s, r) {
			pool = append(pool, s)
		}
	}
	if n > len(pool) {
		return nil, fmt.Errorf("%s: num_fewshot is %d, there are %d other rows to take examples from", r.at, n, len(pool))
	}
	if b.d.FirstN {
		return pool[:n], nil
	}
	key := keyed.Mix(b.d.Seed + keyed.Name("fewshot"))
	rank := func(j int) uint64 {
		return keyed.Mix(keyed.Mix(key+uint64(i+1)*keyed.Increment) + uint64(j+1)*keyed.Increment)
	}
	order := make([]int, len(pool))
	for j := range order {
		order[j] = j
	}
	slices.SortFunc(order, func(a, b int) int {
		if rank(a) < rank(b) {
			return -1
		}
		return 1
	})
	drawn := make([]*row, n)
	for j := range drawn {
		drawn[j] = pool[order[j]]
	}
	return drawn, nil
}

func same(a, b *row) bool {
	return slices.EqualFunc(a.fields, b.fields, func(x, y chat.Field) bool { return x.Name == y.Name && string(x.JSON) == string(y.JSON) })
}

// findInputs finds out whether doc_to_text is an index, as in Winogrande: then the choices stand in the context.
func (b *builder) findInputs(first *row) error {
	if b.d.OutputType != MultipleChoice {
		return nil
	}
	v, err := b.d.Text.of(first, b.known)
	s, _ := v.(string)
	_, whole := v.(int)
	b.inputs = whole || digits(s) && !b.known[b.d.Text.source]
	return err
}

// runes is the length of a text in characters.
func runes(s string) int { return utf8.RuneCountInString(s) }

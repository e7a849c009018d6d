package tokencache

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ft/dataset"
)

// config is a data section whose files lie in dir and were written a while ago, with the rows that are in them.
func config(t *testing.T, dir string) dataset.Config {
	t.Helper()
	c := dataset.Default()
	c.Files = []string{filepath.Join(dir, "a.jsonl"), filepath.Join(dir, "b.jsonl")}
	for _, f := range c.Files {
		write(t, f, filepath.Base(f))
	}
	c.Split.Manifest = filepath.Join(dir, "split.json")
	write(t, c.Split.Manifest, "{}")
	return c
}

// write writes a file whose time is an hour ago.
func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	past := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, past, past); err != nil {
		t.Fatal(err)
	}
}

func key(t *testing.T, c *Cache, d dataset.Config) Key {
	t.Helper()
	k, err := c.Key(d, [32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// made is Data of n samples a part, the first of them empty in all that can be empty.
func made(t *testing.T, n int) *Data { return built(t, n, "") }

// built is made by a Builder that may write files in dir.
func built(t *testing.T, n int, dir string) *Data {
	t.Helper()
	sample := func(id string, i int) dataset.Sample {
		s := dataset.Sample{ID: id, Key: uint64(i)<<60 + uint64(i), Prompt: i}
		for j := range 2 * i {
			s.IDs, s.Labels = append(s.IDs, int32(100*i+j)), append(s.Labels, int32(100*i+j))
			if j < i {
				s.Labels[j] = dataset.Ignore
			}
		}
		return s
	}
	row := func(id string, i int) dataset.Row {
		return dataset.Row{
			ID: id, Group: "g", File: "a.jsonl", Line: i, Answer: "an\nswer <é\u2028>" + id,
			Messages: []dataset.Message{{Role: "system", Content: ""}, {Role: "user", Content: strings.Repeat("医", i)}},
		}
	}
	var rows [3][]dataset.Row
	var train, val []dataset.Sample
	for i := range n {
		rows[0] = append(rows[0], row(fmt.Sprint("t", i), i))
		rows[1] = append(rows[1], row(fmt.Sprint("v", i), i))
		rows[2] = append(rows[2], row(fmt.Sprint("e", i), i), row(fmt.Sprint("f", i), i))
		train = append(train, sample(strings.Repeat("é", i), i))
		val = append(val, sample(fmt.Sprint("v", i), n-i))
	}
	report := &dataset.Report{
		Rows: 4 * n, Kept: 3, Dropped: map[string]int{"too_long": 1}, Notes: map[string]int{}, IDs: map[string][]string{"too_long": {"x"}},
	}
	view := func(rows []dataset.Row) dataset.View { return dataset.NewTable(rows...).View() }
	parts := dataset.Parts{Train: view(rows[0]), Val: view(rows[1]), Test: view(rows[2])}
	b := NewBuilder(dir)
	defer b.Close()
	for _, s := range train {
		if err := b.Train(s); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range val {
		if err := b.Val(s); err != nil {
			t.Fatal(err)
		}
	}
	d, err := b.Data(parts, report)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// same compares all that can be read of two Data.
func same(t *testing.T, got, want *Data) {
	t.Helper()
	read := func(d *Data) map[string]any {
		var split strings.Builder
		if err := d.WriteSplit(&split); err != nil {
			t.Fatal(err)
		}
		val, err := d.ValRows(0)
		test, err2 := d.TestRows(2)
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		all := map[string]any{
			"val rows": val, "test rows": test, "tokens": d.Tokens, "rows": d.Rows, "report": d.Report, "split": split.String(),
		}
		for name, set := range map[string]dataset.Set{"train": d.Train, "val": d.Val} {
			for i := range set.Len() {
				s := set.At(i)
				if set.Key(i) != s.Key {
					t.Errorf("%s: key %d of sample %d, which has %d", name, set.Key(i), i, s.Key)
				}
				all[fmt.Sprint(name, i)] = fmt.Sprint(s.ID, s.Key, s.IDs, s.Labels, s.Prompt)
			}
		}
		return all
	}
	if d := cmp.Diff(read(want), read(got), cmp.AllowUnexported(dataset.Row{}), cmpopts.EquateEmpty()); d != "" {
		t.Error(d)
	}
}

// TestLoad: what comes out is what went in.
func TestLoad(t *testing.T) {
	dir := t.TempDir()
	c := Open(filepath.Join(dir, "deep", "cache"))
	for _, n := range []int{0, 1, 2, 9} {
		want := made(t, n)
		d := config(t, dir)
		d.MaxTokens = 100 + n
		k := key(t, c, d)
		if c.Load(k) != nil {
			t.Fatal("a hit in an empty cache")
		}
		if err := c.Store(k, want); err != nil {
			t.Fatal(err)
		}
		got := c.Load(key(t, c, d))
		if got == nil || !got.Whole() {
			t.Fatalf("%d rows: stored and not found", n)
		}
		same(t, got, want)
		// Stored again from the mapping it is the same file.
		before, _ := os.ReadFile(k.file(c))
		if err := c.Store(k, got); err != nil {
			t.Fatal(err)
		}
		if after, _ := os.ReadFile(k.file(c)); string(after) != string(before) {
			t.Errorf("%d rows: another file from the same data", n)
		}
		same(t, got, want) // the file that it maps is gone
		if err := got.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestKey: every setting but Pack, and every byte of every file, makes another key.
func TestKey(t *testing.T) {
	dir := t.TempDir()
	c := Open(filepath.Join(dir, "cache"))
	base := config(t, dir)
	seen := map[[32]byte]string{}
	add := func(what string, k Key) {
		t.Helper()
		if was, ok := seen[k.hash]; ok {
			t.Errorf("%s makes the key of %s", what, was)
		}
		seen[k.hash] = what
	}
	add("the config", key(t, c, base))
	var change func(path string, v reflect.Value)
	change = func(path string, v reflect.Value) {
		old := reflect.ValueOf(v.Interface())
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				change(path+"."+v.Type().Field(i).Name, v.Field(i))
			}
			return
		case reflect.Slice:
			v.Set(v.Slice(0, 1))
		case reflect.String:
			if path == ".Split.Manifest" {
				v.SetString("") // another file would be another content
			} else {
				v.SetString(v.String() + "x")
			}
		case reflect.Bool:
			v.SetBool(!v.Bool())
		case reflect.Float64:
			v.SetFloat(v.Float() + 0.5)
		case reflect.Int:
			v.SetInt(v.Int() + 1)
		case reflect.Uint64:
			v.SetUint(v.Uint() + 1)
		default:
			t.Fatalf("%s is a %s", path, v.Kind())
		}
		if k := key(t, c, base); path != ".Pack" {
			add(path, k)
		} else if seen[k.hash] != "the config" {
			t.Error("Pack makes another key")
		}
		v.Set(old)
	}
	change("", reflect.ValueOf(&base).Elem())
	if k, err := c.Key(base, [32]byte{2}); err != nil {
		t.Error(err)
	} else {
		add("another tokenizer", k)
	}
	for _, path := range append(base.Files, base.Split.Manifest) {
		was, _ := os.ReadFile(path)
		write(t, path, string(was)+" ")
		add("a byte more in "+path, key(t, c, base))
		write(t, path, string(was))
	}
	if k := key(t, c, base); seen[k.hash] != "the config" {
		t.Error("the same files make another key than before")
	}
	if _, err := c.Key(dataset.Config{Files: []string{"nowhere"}}, [32]byte{}); err == nil {
		t.Error("a file that is not there has a key")
	}
}

// TestKey_folder: a folder and a pattern are the files in them.
func TestKey_folder(t *testing.T) {
	dir := t.TempDir()
	c := Open(filepath.Join(dir, "cache"))
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o777); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(data, "a.csv.gz"), "a")
	write(t, filepath.Join(data, "b.jsonl"), "b")
	named := dataset.Config{Files: []string{filepath.Join(data, "a.csv.gz"), filepath.Join(data, "b.jsonl")}}
	want := key(t, c, named)
	for _, name := range []string{data, filepath.Join(data, "*")} {
		d := dataset.Config{Files: []string{name}}
		k := key(t, c, d)
		if k.hash != want.hash || len(k.Sums) != 2 {
			t.Errorf("%s: another key than by its files, %d sums", name, len(k.Sums))
		}
		write(t, filepath.Join(data, "c.jsonl"), "c")
		if key(t, c, d).hash == want.hash {
			t.Errorf("%s: a file more makes no other key", name)
		}
		os.Remove(filepath.Join(data, "c.jsonl"))
	}
}

// TestKey_sums: the hash of a file is kept when the file is old, not when it could still change unseen; Confirm finds a wrong one.
func TestKey_sums(t *testing.T) {
	dir := t.TempDir()
	c := Open(filepath.Join(dir, "cache"))
	sums := func() int {
		kept, err := filepath.Glob(filepath.Join(c.dir, "*"+sumExt))
		if err != nil {
			t.Fatal(err)
		}
		return len(kept)
	}
	path := filepath.Join(dir, "a")
	d := dataset.Config{Files: []string{path}}
	if err := os.WriteFile(path, []byte("young"), 0o666); err != nil {
		t.Fatal(err)
	}
	if key(t, c, d); sums() != 0 {
		t.Error("the hash of a young file is kept")
	}
	write(t, path, "old")
	k := key(t, c, d)
	if sums() != 1 {
		t.Fatal("the hash of an old file is not kept")
	}
	name, _ := c.sumFile(path)
	if err := os.WriteFile(name, []byte("cut sho"), 0o666); err != nil {
		t.Fatal(err)
	}
	if key(t, c, d).hash != k.hash {
		t.Error("a damaged hash is believed")
	}
	wrong := strings.Repeat("ab", 32)
	if err := os.WriteFile(name, []byte(wrong), 0o666); err != nil {
		t.Fatal(err)
	}
	bad := key(t, c, d)
	if bad.Sums[path] != wrong {
		t.Fatal("the kept hash is not used")
	}
	if err := c.Confirm(k, path, k.Sums[path]); err != nil {
		t.Error(err)
	}
	if err := c.Confirm(bad, path, k.Sums[path]); !errors.Is(err, ErrChanged) || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v", err)
	}
	if key(t, c, d).hash != k.hash {
		t.Error("a hash that was proved wrong is still used")
	}
}

// TestLoad_damage: whatever byte of a file is wrong, Load or Whole says so, and storing repairs it.
func TestLoad_damage(t *testing.T) {
	dir := t.TempDir()
	c := Open(dir)
	k := key(t, c, config(t, t.TempDir()))
	want := made(t, 2)
	if err := c.Store(k, want); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(k.file(c))
	if err != nil {
		t.Fatal(err)
	}
	good := func() bool {
		d := c.Load(k)
		if d == nil {
			return false
		}
		defer d.Close()
		return d.Whole()
	}
	try := func(what string, file []byte) {
		t.Helper()
		if err := os.WriteFile(k.file(c), file, 0o666); err != nil {
			t.Fatal(err)
		}
		if good() {
			t.Errorf("%s is not noticed", what)
		}
	}
	for i := range whole {
		file := append([]byte(nil), whole...)
		file[i] ^= 0x10
		try(fmt.Sprintf("damage at byte %d of %d", i, len(whole)), file)
	}
	for _, n := range []int{0, 1, tableSize - 1, tableSize, len(whole) / 2, len(whole) - 1} {
		try(fmt.Sprintf("a file cut at %d", n), whole[:n])
	}
	try("a longer file", append(whole[:len(whole):len(whole)], 0))
	other := k
	other.hash[5]++
	if err := c.Store(other, want); err != nil {
		t.Fatal(err)
	}
	foreign, _ := os.ReadFile(other.file(c))
	try("another key's file", foreign)
	if err := c.Store(k, want); err != nil || !good() {
		t.Errorf("a stored file does not take the place of a damaged one: %v", err)
	}
}

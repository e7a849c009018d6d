package merge_test

import (
	"hash/fnv"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"ft/base"
	"ft/internal/kernels"
	"ft/internal/quant"
	"ft/internal/testkit"
	"ft/lora"
	"ft/merge"
	"ft/model"
	"ft/model/family"
	"ft/peft"
)

var families = family.All

// prompts are token ids for every tiny model.
var prompts = [][]int32{{1, 60, 80, 90, 2, 33, 100, 120, 121}, {1, 200, 7, 7, 270}}

// tinyDir writes a tiny model into a fresh directory.
func tinyDir(t testing.TB, m testkit.TinyLlama) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tiny")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	m.Write(t, dir)
	return dir
}

// open opens a base until the test ends.
func open(t testing.TB, path string) *base.Base {
	t.Helper()
	b, err := base.Open(path, families)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// plain writes the base at path to out without an adapter.
func plain(t testing.TB, path, out string, typ quant.Type) string {
	t.Helper()
	b := open(t, path)
	if err := merge.Write(t.Context(), merge.Options{Base: b, Out: out, Type: typ}); err != nil {
		t.Fatal(err)
	}
	return out
}

// adapt puts an adapter on a base, on the named modules or on all linear layers, with values as after training. They
// depend on the names of its parameters alone: bases of one model get the same adapter whatever their files.
func adapt(t testing.TB, b *base.Base, modules ...string) peft.Adapter {
	t.Helper()
	c := lora.Default()
	c.Rank, c.Alpha, c.Dropout = 4, 8, 0
	if len(modules) > 0 {
		c.Targets = peft.Names{List: modules}
	}
	a, err := lora.Method{Config: c, Seed: 1}.Attach(b.Model)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range a.Params() {
		h := fnv.New64a()
		h.Write([]byte(p.Name))
		r := rand.New(rand.NewPCG(h.Sum64(), 1))
		for i := range p.Data {
			p.Data[i] += float32(0.05 * r.NormFloat64())
		}
	}
	return a
}

// logits are those of every position of the given sequences, or of all prompts, one after the other.
func logits(t testing.TB, m *model.Model, sequences ...[]int32) []float32 {
	m.SetPrecision(kernels.F32)
	t.Helper()
	if len(sequences) == 0 {
		sequences = prompts
	}
	var out []float32
	for _, ids := range sequences {
		at := make([]int32, len(ids))
		for i := range at {
			at[i] = int32(i)
		}
		rows := make([][]float32, len(ids))
		if err := m.Logits(ids, at, func(i int, l []float32) { rows[i] = slices.Clone(l) }); err != nil {
			t.Fatal(err)
		}
		out = append(out, slices.Concat(rows...)...)
	}
	return out
}

// only asserts that dir holds exactly the named entries, hidden ones included.
func only(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if !slices.Equal(got, names) {
		t.Errorf("%s holds %q, want %q", filepath.Base(dir), got, names)
	}
}

// tensor is a tensor's values in the file or directory at path, which need not be a whole model.
func tensor(t testing.TB, b *base.Base, name string) []float32 {
	t.Helper()
	x, err := b.Source.Tensor(name)
	if err != nil {
		t.Fatal(err)
	}
	return x.Floats()
}

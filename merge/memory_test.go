package merge_test

import (
	"path/filepath"
	"runtime"
	"testing"

	"ft/internal/quant"
	"ft/internal/testkit"
	"ft/merge"
	"ft/peft"
)

// watched is an adapter that looks at the heap whenever a weight is merged.
type watched struct {
	peft.Adapter
	most uint64 // bytes that were reachable then
}

func (w *watched) Merge(module string, values []float32, out, in int) (bool, error) {
	w.most = max(w.most, live())
	return w.Adapter.Merge(module, values, out, in)
}

// live is the number of bytes on the heap that are still reachable. What pools hold goes with the second collection.
func live() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestWrite_memory: tensors pass through one at a time, while writing and while the bytes are proven. The model is 16 times its largest
// tensor; at any time four of that size may be held: the values, with their rows moved, rounded, and without the adapter.
func TestWrite_memory(t *testing.T) {
	const dim, ff, layers = 192, 512, 6
	b := open(t, tinyDir(t, testkit.TinyLlama{Seed: 1, Dim: dim, FF: ff, Layers: layers, HeadDim: 48}))
	const largest = 4 * dim * ff
	for _, out := range []string{"m.gguf", "m"} {
		a := &watched{Adapter: adapt(t, b)}
		o := merge.Options{Base: b, Adapter: a, Out: filepath.Join(t.TempDir(), out), Type: quant.F32}
		before := live()
		if err := merge.Write(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		if _, err := merge.Prove(t.Context(), o, families, prompts); err != nil {
			t.Fatal(err)
		}
		if used := int64(a.most) - int64(before); used < largest || used > 5*largest {
			t.Errorf("%s: a merge of %d bytes holds %d bytes, its largest tensor has %d", out, 4*b.Model.Size(), used, largest)
		}
	}
	if size := 4 * b.Model.Size(); size < 16*largest {
		t.Errorf("the model has %d bytes only", size)
	}
}

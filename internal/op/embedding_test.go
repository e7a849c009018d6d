package op

import (
	"slices"
	"testing"

	"ft/internal/kernels"
	"ft/internal/testkit"
	"ft/internal/testkit/backend"
)

// embedding is a table with a slot, rows in the place of some, and sinks for all of it.
func (f *fixture) embedding() *Embedding {
	ids := []int32{3, 11, vocab - 1}
	return &Embedding{
		W: kernels.FromFloat32(vocab, dim, f.floats(vocab*dim, 1)).WithRows(ids, f.floats(len(ids)*dim, 1)), DW: make([]float32, vocab*dim),
		Delta: &LowRank{
			R: rank, A: f.floats(rank*vocab, 0.5), B: f.floats(dim*rank, 0.5), DA: make([]float32, rank*vocab), DB: make([]float32, dim*rank), Scale: 1.5,
		},
		Rows: NewRows(ids, make([]float32, len(ids)*dim)),
	}
}

// ids are so many tokens, some of them often.
func (f *fixture) ids(n int) []int32 {
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32(f.rand.IntN(vocab))
	}
	return append(ids, 3, 3, 4, 4)
}

// TestEmbed compares embeddings and the gradients of the table, of rows and of the slot with the formula.
func TestEmbed(t *testing.T) {
	backend.Each(t, func(t *testing.T) {
		f := newFixture(t, 1, 1)
		e, ids := f.embedding(), f.ids(3*rowBlock+1)
		row, table := make([]float32, dim), make([]float64, 0, vocab*dim)
		for i := range vocab {
			e.W.Row(row, i)
			table = append(table, wide(row)...)
		}
		a, b := wide(e.Delta.A), wide(e.Delta.B)
		forward := func() []float64 {
			x := make([]float64, 0, len(ids)*dim)
			for _, id := range ids {
				for c := range dim {
					v := table[int(id)*dim+c]
					for k := range rank {
						v += 1.5 * b[c*rank+k] * a[k*vocab+int(id)]
					}
					x = append(x, v)
				}
			}
			return x
		}
		x := make([]float32, len(ids)*dim)
		EmbedForward(f.p.Arena, e, x, ids)
		f.near("x", x, forward(), forwardTol)
		one := make([]float32, dim)
		for i := range ids {
			if EmbedForward(f.p.Arena, e, one, ids[i:i+1]); !slices.Equal(one, x[i*dim:(i+1)*dim]) {
				t.Fatalf("token %d alone has another embedding", i)
			}
		}

		dx := f.floats(len(x), 1)
		objective := func() float64 { return dot(forward(), wide(dx)) }
		EmbedBackward(f.p.Arena, e, dx, ids)
		f.near("dA", e.Delta.DA, testkit.Gradient(objective, a, 1e-3), gradTol)
		f.near("dB", e.Delta.DB, testkit.Gradient(objective, b, 1e-3), gradTol)
		want := testkit.Gradient(objective, table, 1e-3)
		for i, id := range e.Rows.IDs {
			f.near("drows", e.Rows.Grad[i*dim:(i+1)*dim], want[int(id)*dim:int(id+1)*dim], gradTol)
			clear(want[int(id)*dim : int(id+1)*dim]) // the table has no part in them
		}
		f.near("dW", e.DW, want, gradTol)
	})
}

// TestEmbedBackward_frozen: without sinks nothing is computed, and with some only theirs.
func TestEmbedBackward_frozen(t *testing.T) {
	f := newFixture(t, 2, 1)
	all, some, ids := f.embedding(), &Embedding{}, f.ids(40)
	*some = *all
	dx := f.floats(len(ids)*dim, 1)
	EmbedBackward(f.p.Arena, all, dx, ids)
	d := *all.Delta
	d.DA, d.DB = nil, make([]float32, len(d.DB))
	some.DW, some.Rows, some.Delta = nil, NewRows(all.Rows.IDs, nil), &d
	EmbedBackward(f.p.Arena, some, dx, ids)
	testkit.Near(t, "dB alone", d.DB, all.Delta.DB, 0, 0)
	some.Delta = nil
	EmbedBackward(f.p.Arena, some, dx, ids)
}

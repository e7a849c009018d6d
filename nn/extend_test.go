package nn

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"ft/internal/kernels"
	"ft/internal/op"
	"ft/internal/testkit"
	"ft/internal/testkit/backend"
)

// piece is what Extend feeds to one sequence in one pass: tokens lo to hi of its input.
type piece struct{ seq, lo, hi int }

// sequences are inputs with their caches and collected results.
type sequences struct {
	s      *Stack
	ids    [][]int32
	out    [][]float32
	caches []*Cache
	arena  *kernels.Arena
	prec   kernels.Precision

	decoder op.Decoder
}

func newSequences(t *testing.T, s *Stack, lengths ...int) *sequences {
	q := &sequences{s: s, arena: newArena(t)}
	pool := NewPool(len(s.Blocks), kvHeads*head, kernels.F32)
	r := newRandom(77)
	for _, n := range lengths {
		ids := make([]int32, n)
		for i := range ids {
			ids[i] = int32(r.IntN(vocab))
		}
		q.ids = append(q.ids, ids)
		q.out = append(q.out, make([]float32, n*dim))
		q.caches = append(q.caches, pool.NewCache())
	}
	return q
}

// extend runs one pass over some of the sequences.
func (q *sequences) extend(t *testing.T, pieces ...piece) {
	t.Helper()
	q.arena.Reset()
	p := &op.Pass{Starts: []int32{0}, Arena: q.arena, Prec: q.prec}
	var all []int32
	var caches []*Cache
	for _, c := range pieces {
		if q.caches[c.seq].Len() != c.lo {
			t.Fatalf("cache %d has %d tokens, not %d", c.seq, q.caches[c.seq].Len(), c.lo)
		}
		for i := c.lo; i < c.hi; i++ {
			p.Pos = append(p.Pos, int32(i))
		}
		all = append(all, q.ids[c.seq][c.lo:c.hi]...)
		caches = append(caches, q.caches[c.seq])
		p.T += c.hi - c.lo
		p.Starts = append(p.Starts, int32(p.T))
	}
	x := q.s.Extend(p, all, caches)
	for i, c := range pieces {
		copy(q.out[c.seq][c.lo*dim:c.hi*dim], x[int(p.Starts[i])*dim:int(p.Starts[i+1])*dim])
	}
}

// TestExtend: however sequences are cut into pieces and put together, every token's state is the one of a single
// pass over its sequence, bit for bit.
func TestExtend(t *testing.T) {
	backend.Each(t, func(t *testing.T) {
		s := newStack(9, 2)
		for _, l := range s.Linears() {
			addSlot(l, false, 0.5) // dropout is for training only
		}
		q := newSequences(t, s, 90, 7, 70)
		q.extend(t, piece{0, 0, 20})
		q.extend(t, piece{1, 0, 1}, piece{0, 20, 21})
		q.extend(t, piece{0, 21, 86}, piece{2, 0, 68}, piece{1, 1, 5})
		for i := range 2 {
			q.extend(t, piece{2, 68 + i, 69 + i}, piece{1, 5 + i, 6 + i}, piece{0, 86 + i, 87 + i})
		}
		q.extend(t, piece{0, 88, 89})
		q.extend(t, piece{0, 89, 90})
		for i, ids := range q.ids {
			k := task{lengths: []int{len(ids)}, ids: ids}
			p := k.pass(q.arena)
			p.Train = false
			if !slices.Equal(q.out[i], s.Hidden(p, ids)) {
				t.Errorf("sequence %d differs", i)
			}
		}
	})
}

// TestDecode: sequences decoded token by token have the states of a pass over each of them, in float32 within 1e-5 of the largest value;
// and the same bits alone and beside others. Layers have biases and slots.
func TestDecode(t *testing.T) {
	backend.Each(t, func(t *testing.T) {
		s := newStack(9, 2)
		for i, l := range s.Linears() {
			if i%5 != 1 { // some without
				addSlot(l, false, 0.5)
			}
		}
		lengths := []int{90, 7, 40}
		q, alone := newSequences(t, s, lengths...), newSequences(t, s, lengths...)
		for at := range lengths[0] {
			var both []int
			for i, n := range lengths {
				if at < n {
					both = append(both, i)
					alone.decode(at, i)
				}
			}
			q.decode(at, both...)
		}
		for i, ids := range q.ids {
			if !slices.Equal(q.out[i], alone.out[i]) {
				t.Errorf("sequence %d: other states beside others", i)
			}
			k := task{lengths: []int{lengths[i]}, ids: ids}
			p := k.pass(q.arena)
			p.Train = false
			testkit.Near(t, fmt.Sprintf("sequence %d", i), q.out[i], s.Hidden(p, ids), 1e-5, 0)
		}
	})
}

// decode feeds token at of some of the sequences.
func (q *sequences) decode(at int, which ...int) {
	q.arena.Reset()
	d := &q.decoder
	d.T, d.Arena, d.Pos, d.Prec = len(which), q.arena, nil, q.prec
	var ids []int32
	var caches []*Cache
	for _, s := range which {
		d.Pos = append(d.Pos, int32(at))
		caches = append(caches, q.caches[s])
		ids = append(ids, q.ids[s][at])
	}
	x := q.s.Decode(d, ids, caches)
	for i, s := range which {
		copy(q.out[s][at*dim:(at+1)*dim], x[i*dim:])
	}
}

// TestDecodeLogits: logits are those of the stages but for rounding, whatever the number of rows.
func TestDecodeLogits(t *testing.T) {
	s := newStack(10, 1)
	addSlot(s.Head, false, 0)
	k := newTask(10, 150)
	p := k.pass(newArena(t))
	p.Train = false
	x := s.Hidden(p, k.ids)
	want := make([][]float32, 150)
	rows := make([]int32, 150)
	for i := range rows {
		rows[i] = int32(i)
	}
	s.Logits(p, x, rows, func(i int, logits []float32) { want[i] = slices.Clone(logits) })
	got := make([][]float32, 150)
	s.DecodeLogits(&op.Decoder{T: 150, Arena: p.Arena}, x, func(i int, logits []float32) { got[i] = slices.Clone(logits) })
	for i := range got {
		testkit.Near(t, fmt.Sprintf("row %d", i), got[i], want[i], 1e-5, 0)
	}
}

// TestPool: a sequence has as many pages as its positions need, and rows keep their place; pages of a finished one serve the next, and
// nobody writes into another's.
func TestPool(t *testing.T) {
	const layers, width = 2, 3
	pool := NewPool(layers, width, kernels.F32)
	fill := func(c *Cache, upTo int, mark float32) {
		for c.Len() < upTo {
			c.reserve(1)
			for l := range layers {
				kv, v := c.layer(l), mark+float32(10*c.Len()+l)
				c.put(&kv, c.Len(), []float32{v, v, v}, []float32{-v, -v, -v})
			}
			c.Advance(1)
		}
	}
	check := func(name string, c *Cache, mark func(pos int) float32) {
		t.Helper()
		for l := range layers {
			kv := c.layer(l)
			for pos := range c.Len() {
				page, k, v := kv.Row(pos)
				want := mark(pos) + float32(10*pos+l)
				if page[k] != want || page[k+width-1] != want || page[v] != -want || page[v+width-1] != -want {
					t.Fatalf("%s: block %d, position %d of %d: key %v, value %v, want %v", name, l, pos, c.Len(), page[k], page[v], want)
				}
			}
		}
	}
	all := func(mark float32) func(int) float32 { return func(int) float32 { return mark } }
	used := func(want int) {
		t.Helper()
		if pool.Used() != want {
			t.Fatalf("%d pages in use, want %d", pool.Used(), want)
		}
	}
	a, b := pool.NewCache(), pool.NewCache()
	fill(a, PageRows, 1000)
	used(1)
	fill(b, 1, 2000)
	used(2)
	fill(a, 3*PageRows+1, 1000)
	fill(b, 70, 2000)
	used(4 + 3)
	check("a", a, all(1000))
	check("b", b, all(2000))

	c := b.Fork() // shares two pages of three
	used(4 + 3 + 1)
	fill(b, 100, 2000)
	fill(c, 100, 3000)
	check("b after the fork", b, all(2000))
	check("the fork", c, func(pos int) float32 {
		if pos < 70 {
			return 2000
		}
		return 3000
	})
	a.Reset()
	used(4 + 2)
	b.Reset()
	used(4)
	check("the fork alone", c, func(pos int) float32 {
		if pos < 70 {
			return 2000
		}
		return 3000
	})
	whole := c.Fork()
	fill(whole, 2*PageRows+40, 3000) // c has 100 rows: nothing to fill
	c.Reset()
	whole.Reset()
	used(0)
	made := pool.Pages()
	fill(a, made*PageRows, 4000)
	if check("a again", a, all(4000)); pool.Pages() != made || pool.PageBytes() != 4*layers*2*PageRows*width {
		t.Errorf("%d pages were made, %d are enough; %d bytes each", pool.Pages(), made, pool.PageBytes())
	}
}

// TestCache_fork: a fork and what it was made of go on as sequences that began alone, bit for bit.
func TestCache_fork(t *testing.T) {
	for _, n := range []int{1, PageRows - 1, PageRows, 2*PageRows + 5} {
		s := newStack(9, 2)
		q := newSequences(t, s, 90, 90)
		copy(q.ids[1], q.ids[0][:n])
		q.extend(t, piece{0, 0, n})
		q.caches[1] = q.caches[0].Fork()
		for i := n; i < 90; i++ {
			q.decode(i, 0, 1)
		}
		alone := newSequences(t, s, 90, 90)
		alone.ids = q.ids
		alone.extend(t, piece{0, 0, n}, piece{1, 0, n})
		for i := n; i < 90; i++ {
			alone.decode(i, 1)
			alone.decode(i, 0)
		}
		for i := range q.out {
			if !slices.Equal(q.out[i][n*dim:], alone.out[i][n*dim:]) {
				t.Errorf("forked after %d tokens: sequence %d has other states", n, i)
			}
		}
	}
}

// TestCache_bf16: rows in BF16 come back rounded, and rows that begin a cache as they are.
func TestCache_bf16(t *testing.T) {
	const width = 64
	c, arena := NewPool(1, width, kernels.BF16).NewCache(), newArena(t)
	r := newRandom(5)
	rows := op.KV{K: r.floats(3*width, 0, 1), V: r.floats(3*width, 0, 1)}
	first := c.append(0, rows, arena)
	if !slices.Equal(first.K, rows.K) || !slices.Equal(first.V, rows.V) {
		t.Error("first rows changed")
	}
	c.Advance(3)
	again := c.append(0, rows, arena)
	if len(again.K) != 6*width || len(again.V) != 6*width {
		t.Fatalf("%d and %d values for 6 rows", len(again.K), len(again.V))
	}
	for i := range again.K {
		k, v := rows.K[i%len(rows.K)], rows.V[i%len(rows.V)]
		if math.Abs(float64(again.K[i]-k)) > math.Abs(float64(k))/256 || math.Abs(float64(again.V[i]-v)) > math.Abs(float64(v))/256 {
			t.Fatalf("value %d: %v and %v, want %v and %v rounded", i, again.K[i], again.V[i], k, v)
		}
	}
}

func TestLogits(t *testing.T) {
	s := newStack(10, 1)
	k := newTask(10, 6)
	p := k.pass(newArena(t))
	p.Train = false
	x := s.Hidden(p, k.ids)
	one := make([][]float32, 6)
	s.Logits(p, x, []int32{0, 1, 2, 3, 4, 5}, func(i int, logits []float32) { one[i] = slices.Clone(logits) })
	s.Logits(p, x, []int32{4}, func(_ int, logits []float32) {
		if !slices.Equal(logits, one[4]) || len(logits) != vocab {
			t.Error("a row's logits depend on the others")
		}
	})
}

func TestLinear_slots(t *testing.T) {
	s, k := newStack(11, 1), newTask(11, 9)
	base := loss(t, s, k)
	for _, l := range s.Linears() {
		addSlot(l, false, 0)
	}
	with := loss(t, s, k)
	if with == base {
		t.Fatal("slots change nothing")
	}
	broken := errors.New("broken")
	err := s.WithoutSlots(func() error {
		if got := loss(t, s, k); got != base {
			t.Errorf("without slots: %g, base %g", got, base)
		}
		for _, l := range s.Linears() {
			if len(l.Params()) != 0 {
				t.Errorf("%s still trains", l.Name)
			}
		}
		return broken
	})
	if !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	if got := loss(t, s, k); got != with {
		t.Errorf("slots put back: %g, before %g", got, with)
	}
	for _, l := range s.Linears() {
		if len(l.Params()) != 2 {
			t.Errorf("%s has %d parameters", l.Name, len(l.Params()))
		}
		l.ClearSlots()
	}
	if got := loss(t, s, k); got != base {
		t.Errorf("slots cleared: %g, base %g", got, base)
	}
}

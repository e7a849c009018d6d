package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"ft/internal/quant"
)

// forEachBackend runs the test on every implementation that this machine can run.
func forEachBackend(t *testing.T, f func(t *testing.T, r *rand.Rand)) {
	t.Helper()
	before := Backend()
	t.Cleanup(func() { mustUse(t, before) })
	for _, name := range Backends() {
		t.Run(name, func(t *testing.T) {
			mustUse(t, name)
			f(t, rand.New(rand.NewPCG(11, 12)))
		})
	}
}

func mustUse(t testing.TB, name string) {
	t.Helper()
	if err := Use(name); err != nil {
		t.Fatal(err)
	}
}

func setThreads(t testing.TB, n int) {
	before := Threads()
	SetThreads(n)
	t.Cleanup(func() { SetThreads(before) })
}

// randoms are n values in [-1,1), at an address that is no multiple of 64.
func randoms(r *rand.Rand, n int) []float32 {
	skip := r.IntN(9)
	v := make([]float32, n+skip)[skip:]
	for i := range v {
		v[i] = 2*r.Float32() - 1
	}
	return v
}

const canary = -12345.5

// guarded is a copy of v with canaries behind it; intact reports whether they live.
func guarded(v []float32) (g []float32, intact func() bool) {
	const n = 64
	all := make([]float32, len(v)+n)
	copy(all, v)
	for i := len(v); i < len(all); i++ {
		all[i] = canary
	}
	return all[:len(v):len(v)], func() bool {
		for _, c := range all[len(v):] {
			if c != canary {
				return false
			}
		}
		return true
	}
}

// stored is a random matrix as an operand of Gemm.
type stored struct {
	v     []float32
	ld    int
	trans bool
}

func (s stored) at(i, j int) float64 {
	if s.trans {
		i, j = j, i
	}
	return float64(s.v[i*s.ld+j])
}

func newStored(r *rand.Rand, rows, cols int, trans bool) stored {
	if trans {
		rows, cols = cols, rows
	}
	ld := cols + r.IntN(4)
	return stored{randoms(r, max(0, (rows-1)*ld+cols)), ld, trans}
}

// size samples 0 to 130, with the edges of tiles and chunks more often.
func size(r *rand.Rand) int {
	edges := []int{1, 2, 5, 6, 7, 13, 14, 15, 16, 17, 28, 31, 32, 33, 48, 63, 64, 65}
	if r.IntN(2) == 0 {
		return edges[r.IntN(len(edges))]
	}
	return r.IntN(131)
}

func TestGemm_float64(t *testing.T) {
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		for c := range 120 {
			m, n, k := size(r), size(r), size(r)
			switch c % 8 {
			case 0:
				k = 500 + r.IntN(100) // more than one chunk
			case 1:
				n = 250 + r.IntN(300) // more than one block
			}
			checkGemm(t, r, m, n, k)
		}
	})
}

func checkGemm(t *testing.T, r *rand.Rand, m, n, k int) {
	t.Helper()
	a, b := newStored(r, m, k, r.IntN(2) == 0), newStored(r, k, n, r.IntN(2) == 0)
	alpha, add := []float32{1, -0.5, 3}[r.IntN(3)], r.IntN(2) == 0
	old := newStored(r, m, n, false)
	c, intact := guarded(old.v)
	Gemm(c, old.ld, a.v, a.ld, a.trans, b.v, b.ld, b.trans, m, n, k, alpha, add)
	what := fmt.Sprintf("m=%d n=%d k=%d transA=%v transB=%v alpha=%v add=%v", m, n, k, a.trans, b.trans, alpha, add)
	if !intact() {
		t.Fatalf("%s: wrote past the end", what)
	}
	for i := range m {
		for j := range old.ld {
			at := i*old.ld + j
			if j >= n {
				if at < len(c) && c[at] != old.v[at] {
					t.Fatalf("%s: wrote between rows %d and %d", what, i, i+1)
				}
				continue
			}
			want, size := 0.0, 0.0
			for q := range k {
				v := float64(alpha) * a.at(i, q) * b.at(q, j)
				want, size = want+v, size+math.Abs(v)
			}
			if add {
				want, size = want+float64(old.v[at]), size+math.Abs(float64(old.v[at]))
			}
			if err := math.Abs(want - float64(c[at])); !(err <= bound(k)*size) {
				t.Fatalf("%s: C[%d,%d] = %v, want %v", what, i, j, c[at], want)
			}
		}
	}
}

// bound is the error of a float32 sum of k products, relative to the sum of their sizes: (k+3)·2^-24.
func bound(k int) float64 { return float64(k+3) / (1 << 24) }

// types are the number formats that quant can read and write, F32 among them.
func types() []quant.Type {
	var ts []quant.Type
	for t := quant.Type(0); t < 64; t++ {
		if t.Known() {
			ts = append(ts, t)
		}
	}
	return ts
}

// weights is a random matrix of a type, in memory at an odd address, with a row map if perm.
func weights(t *testing.T, r *rand.Rand, rows, cols int, typ quant.Type, perm bool) *Matrix {
	t.Helper()
	data := make([]byte, rows*typ.RowBytes(cols)+1)[1:]
	if typ.CanQuantize() {
		quant.Quantize(data, typ, randoms(r, rows*cols))
	} else {
		randomBlocks(r, typ, data)
	}
	m, err := NewMatrix(rows, cols, typ, data)
	if err != nil {
		t.Fatal(err)
	}
	if perm {
		for _, p := range r.Perm(rows) {
			m.Perm = append(m.Perm, int32(p))
		}
	}
	return m
}

// randomBlocks fills data with blocks whose values are finite: random bytes, drawn again until they are.
func randomBlocks(r *rand.Rand, typ quant.Type, data []byte) {
	n, values := typ.RowBytes(typ.Block()), make([]float32, typ.Block())
	for b := 0; b < len(data); b += n {
		for ok := false; !ok; {
			for i := range n {
				data[b+i] = byte(r.Uint32()) & 0xbf // half floats below 2
			}
			quant.Dequantize(values, typ, data[b:b+n])
			ok = true
			for _, v := range values {
				ok = ok && math.Abs(float64(v)) < 1e6
			}
		}
	}
}

// dense is the matrix dequantised by the specification, in logical order.
func dense(m *Matrix) []float32 {
	w, row := make([]float32, m.Rows*m.Cols), m.Type.RowBytes(m.Cols)
	for i := range m.Rows {
		at := i
		if m.Perm != nil {
			at = int(m.Perm[i])
		}
		quant.Dequantize(w[i*m.Cols:(i+1)*m.Cols], m.Type, m.Data[at*row:(at+1)*row])
	}
	return w
}

func TestRow_types(t *testing.T) {
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		for _, typ := range types() {
			cols := typ.Block() * 3
			if typ.Block() == 1 {
				cols = 53
			}
			w := weights(t, r, 5, cols, typ, true)
			want := dense(w)
			for i := range w.Rows {
				got, intact := guarded(make([]float32, cols))
				w.Row(got, i)
				for j, v := range got {
					if v != want[i*cols+j] || !intact() {
						t.Fatalf("%v row %d col %d: %v, want %v", typ, i, j, v, want[i*cols+j])
					}
				}
			}
		}
	})
}

// TestMatrix_types compares the products with those of the dequantised matrix, bit for bit.
func TestMatrix_types(t *testing.T) {
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		for _, typ := range types() {
			for c := range 4 {
				rows, cols, n := 1+r.IntN(90), max(typ.Block(), 32)*(1+r.IntN(3)), []int{1, 3, 14, 37}[c]
				if typ.Block() == 1 {
					cols += r.IntN(32)
				}
				w := weights(t, r, rows, cols, typ, c%2 == 1)
				plain := FromFloat32(rows, cols, dense(w))
				x, dy := randoms(r, n*cols), randoms(r, n*rows)
				for _, add := range []bool{false, true} {
					y, old := make([]float32, n*rows), randoms(r, n*rows)
					got, intact := guarded(old)
					copy(y, old)
					mulT(y, x, plain, n, add)
					mulT(got, x, w, n, add)
					sameBits(t, fmt.Sprintf("MulT %v [%d,%d] t=%d", typ, rows, cols, n), got, y)
					dx := make([]float32, n*cols)
					gdx, dintact := guarded(dx)
					mul(dx, dy, plain, n, false)
					mul(gdx, dy, w, n, false)
					sameBits(t, fmt.Sprintf("Mul %v [%d,%d] t=%d", typ, rows, cols, n), gdx, dx)
					if !intact() || !dintact() {
						t.Fatalf("%v: wrote past the end", typ)
					}
				}
			}
		}
	})
}

func sameBits(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s: value %d is %v, want %v", what, i, got[i], want[i])
		}
	}
}

// TestMulT_rowIndependence: a row's product does not depend on its place, the batch or the threads.
func TestMulT_rowIndependence(t *testing.T) {
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		for _, typ := range []quant.Type{quant.F32, quant.BF16} {
			rows, cols, n := 150, 608, 75
			w := weights(t, r, rows, cols, typ, false)
			x, dy := randoms(r, n*cols), randoms(r, n*rows)
			y, dx := make([]float32, n*rows), make([]float32, n*cols)
			mulT(y, x, w, n, false)
			mul(dx, dy, w, n, false)
			for _, size := range []int{1, 2, 3, 7, 14, 15, 29} {
				for lo := r.IntN(5); lo+size <= n; lo += size + r.IntN(9) {
					part, dpart := make([]float32, size*rows), make([]float32, size*cols)
					mulT(part, x[lo*cols:(lo+size)*cols], w, size, false)
					mul(dpart, dy[lo*rows:(lo+size)*rows], w, size, false)
					what := fmt.Sprintf("%v rows %d+%d", typ, lo, size)
					sameBits(t, "MulT "+what, part, y[lo*rows:(lo+size)*rows])
					sameBits(t, "Mul "+what, dpart, dx[lo*cols:(lo+size)*cols])
				}
			}
		}
	})
}

func TestGemm_threads(t *testing.T) {
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		for _, s := range [][3]int{{200, 70, 600}, {16, 576, 300}, {576, 16, 100}, {3, 900, 65}} {
			m, n, k := s[0], s[1], s[2]
			a, b := randoms(r, m*k), randoms(r, k*n)
			want := make([]float32, m*n)
			setThreads(t, 1)
			Gemm(want, n, a, m, true, b, n, false, m, n, k, 0.3, false)
			for _, threads := range []int{1, 2, 3, 7, 33} {
				setThreads(t, threads)
				got := make([]float32, m*n)
				Gemm(got, n, a, m, true, b, n, false, m, n, k, 0.3, false)
				sameBits(t, fmt.Sprintf("%v with %d threads", s, threads), got, want)
			}
		}
	})
}

func TestMulT_nonFinite(t *testing.T) {
	forEachBackend(t, func(t *testing.T, r *rand.Rand) {
		const rows, cols, n = 40, 33, 3
		w, x := randoms(r, rows*cols), randoms(r, n*cols)
		x[cols+5] = float32(math.NaN())
		w[7*cols+2] = float32(math.Inf(1))
		y := make([]float32, n*rows)
		mulT(y, x, FromFloat32(rows, cols, w), n, false)
		for i, v := range y {
			row, col := i/rows, i%rows
			nan, inf := v != v, math.IsInf(float64(v), 0)
			if nan != (row == 1) || inf != (row != 1 && col == 7) {
				t.Fatalf("y[%d,%d] = %v", row, col, v)
			}
		}
	})
}

func TestNewMatrix_errors(t *testing.T) {
	for _, c := range []struct {
		rows, cols int
		t          quant.Type
		bytes      int
	}{
		{2, 3, quant.F32, 23}, {2, 3, quant.F32, 25}, {-1, 3, quant.F32, 0}, {1, -3, quant.F32, 0},
		{2, 3, quant.Type(63), 24}, {math.MaxInt, math.MaxInt, quant.F32, 4}, {math.MaxInt/8 + 1, 4, quant.BF16, 0}, {4, 0, quant.F32, 1},
	} {
		if m, err := NewMatrix(c.rows, c.cols, c.t, make([]byte, c.bytes)); err == nil {
			t.Errorf("%+v: accepted as %+v", c, m)
		}
	}
}

func TestUse(t *testing.T) {
	all := Backends()
	if all[len(all)-1] != "generic" || Backend() != all[0] {
		t.Fatalf("backends %v, in use %s", all, Backend())
	}
	if err := Use("amx2"); err == nil || Backend() != all[0] {
		t.Fatalf("unknown backend: %v, in use %s", err, Backend())
	}
}

func TestProgrammerErrors(t *testing.T) {
	v := make([]float32, 6)
	for name, f := range map[string]func(){
		"Gemm":   func() { Gemm(v, 2, v, 2, false, v, 1, false, 2, 2, 3, 1, false) },
		"matrix": func() { FromFloat32(2, 2, v) },
		"perm": func() {
			mulRows(v[:2], v[:3], &Matrix{Rows: 2, Cols: 3, Data: make([]byte, 24), Perm: []int32{0}}, 1)
		},
		"label": func() { CrossEntropyRow(v, 6, 1) },
		"rope":  func() { RoPE(v, 1, 1, 6, 6, []int32{1}, v[:3], v[:3], false) },
		"norm":  func() { NormRows(v, v, v[:2], 2, 3, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		})
	}
}

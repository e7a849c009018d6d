package kernels

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestMask_factors: Factors, the masks of activations on either side of a product and those of a product are the same.
func TestMask_factors(t *testing.T) {
	forEachPrecision(t, func(t *testing.T, r *rand.Rand, prec Precision) {
		for _, s := range [][2]int{{1, 1}, {33, 31}, {70, 100}, {5, 160}} {
			rows, f := s[0], s[1]
			m := randomMask(r, rows)
			want := m.Factors(f)
			if len(want) != rows*f {
				t.Fatalf("%v: %d factors", s, len(want))
			}
			for i, v := range want {
				if v != dropped(m.Keys[i/f], i%f, m.Prob) {
					t.Fatalf("%v: factor %d is %v", s, i, v)
				}
			}
			ones, _ := emptyAct(rows, f, prec)
			x := make([]float32, rows*f)
			for i := range x {
				x[i] = 1
			}
			Rounded(ones, x)
			eye := func(n int) []float32 {
				v := make([]float32, n*n)
				for i := range n {
					v[i*n+i] = 1
				}
				return v
			}
			sides := map[string][]float32{
				"left": toRows(rows, f, prec, func(p *Product) { p.Add(Masked(ones, m), Values(eye(f), f, f, f, false), false) }),
				"product": toRows(rows, f, prec, func(p *Product) {
					p.AddMasked(Acts(ones), Values(eye(f), f, f, f, true), m)
				}),
			}
			one, _ := emptyAct(rows, rows, prec)
			Rounded(one, eye(rows))
			sides["tokens"] = toRows(rows, f, prec, func(p *Product) { p.Add(Acts(one), Tokens(ones, m), false) })
			for side, got := range sides {
				for i, v := range got {
					if w := want[i]; v != w && (side == "product" || v != rounded(w, prec)) {
						t.Fatalf("%v %s: factor %d,%d is %v, want %v", s, side, i/f, i%f, v, w)
					}
				}
			}
		}
	})
}

// TestMask_zero: the zero Mask does nothing.
func TestMask_zero(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	a := randomAct(r, 40, 50, F32)
	b := Values(randoms(r, 50*60), 60, 50, 60, false)
	want := toRows(40, 60, F32, func(p *Product) { p.Add(Acts(a), b, false) })
	for name, fill := range map[string]func(p *Product){
		"left":    func(p *Product) { p.Add(Masked(a, Mask{}), b, false) },
		"product": func(p *Product) { p.AddMasked(Acts(a), b, Mask{Keys: make([]uint64, 40)}) },
	} {
		sameBits(t, fmt.Sprint("zero mask on ", name), toRows(40, 60, F32, fill), want)
	}
}

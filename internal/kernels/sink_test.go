package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// sinkShapes are [M,N] with edges in both.
var sinkShapes = [][2]int{{1, 1}, {5, 33}, {32, 64}, {33, 31}, {70, 100}, {16, 96}}

// TestSink_rows: every way to write rows, with what surrounds them untouched.
func TestSink_rows(t *testing.T) {
	forEachPrecision(t, func(t *testing.T, r *rand.Rand, prec Precision) {
		for c := range 16 {
			s := sinkShapes[c%len(sinkShapes)]
			checkRows(t, r, s[0], s[1], prec, c&1 != 0, c&2 != 0, c&4 != 0, c&8 != 0)
		}
	})
}

// checkRows runs Rows (+)= Alpha·((C+Bias)·Scale+Shift), or From plus that, with C+Bias kept.
func checkRows(t *testing.T, r *rand.Rand, m, n int, prec Precision, bias, columns, add, from bool) {
	t.Helper()
	fill, want := randomTerms(t, r, m, n, prec, false)
	ld := n + 3
	old, src := randoms(r, m*ld), randoms(r, m*ld)
	rows, intact := guarded(old)
	sink := Sink{Kind: ToRows, Alpha: 0.7, Rows: rows, LD: ld, Add: add}
	if bias {
		sink.First.Bias = randoms(r, n)
	}
	whole := func() bool { return true }
	if columns {
		sink.First.Scale, sink.First.Shift = randoms(r, n), randoms(r, n)
		sink.First.Keep, whole = emptyAct(m, n, prec)
	}
	if from {
		sink.From = src
	}
	p := Product{M: m, N: n, Prec: prec, Sink: sink}
	fill(&p)
	p.Run()
	what := fmt.Sprintf("[%d,%d] bias=%v columns=%v add=%v from=%v", m, n, bias, columns, add, from)
	for i := range m {
		for j := range ld {
			at := i*ld + j
			if j >= n {
				if rows[at] != old[at] {
					t.Fatalf("%s: wrote behind row %d", what, i)
				}
				continue
			}
			c, err := want.want[i*n+j], want.bound(i*n+j)
			if bias {
				c += float64(sink.First.Bias[j])
			}
			factor := float64(sink.Alpha)
			if columns {
				nearTile(t, what+" kept", sink.First.Keep.At(i, j), c, 1, err+6e-7, prec)
				factor *= float64(sink.First.Scale[j])
			}
			c, err = factor*c, math.Abs(factor)*err
			if columns {
				c += float64(sink.Alpha) * float64(sink.First.Shift[j])
			}
			if from {
				c += float64(src[at])
			} else if add {
				c += float64(old[at])
			}
			near(t, fmt.Sprintf("%s at %d,%d", what, i, j), rows[at], c, 1, err+6e-7)
		}
	}
	if columns {
		zeroPadding(t, what, sink.First.Keep)
	}
	if !intact() || !whole() {
		t.Fatalf("%s: wrote past the end", what)
	}
}

func TestSink_rowsT(t *testing.T) {
	forEachPrecision(t, func(t *testing.T, r *rand.Rand, prec Precision) {
		for _, s := range sinkShapes {
			m, n := s[0], s[1]
			fill, want := randomTerms(t, r, m, n, prec, false)
			ld := m + 2
			old := randoms(r, n*ld)
			rows, intact := guarded(old)
			p := Product{M: m, N: n, Prec: prec, Sink: Sink{Kind: ToRowsT, Alpha: -0.3, Rows: rows, LD: ld}}
			fill(&p)
			p.Run()
			for j := range n {
				for i := range ld {
					at := j*ld + i
					if i >= m {
						if rows[at] != old[at] {
							t.Fatalf("%v: wrote behind row %d", s, j)
						}
						continue
					}
					c := float64(old[at]) - 0.3*want.want[i*n+j]
					near(t, fmt.Sprint(s), rows[at], c, 1, 0.3*want.bound(i*n+j)+3e-7)
				}
			}
			if !intact() {
				t.Fatalf("%v: wrote past the end", s)
			}
		}
	})
}

// TestSink_act: tiles with bias and factor; padding is zero although the Act was full of NaN.
func TestSink_act(t *testing.T) {
	forEachPrecision(t, func(t *testing.T, r *rand.Rand, prec Precision) {
		for _, s := range sinkShapes {
			for _, to := range []Precision{F32, BF16} {
				m, n := s[0], s[1]
				fill, want := randomTerms(t, r, m, n, prec, false)
				out, intact := emptyAct(m, n, to)
				bias := randoms(r, n)
				p := Product{M: m, N: n, Prec: prec, Sink: Sink{Kind: ToAct, Alpha: 1.5, First: Affine{Bias: bias}, Out: out}}
				fill(&p)
				p.Run()
				for i := range m {
					for j := range n {
						c := 1.5 * (want.want[i*n+j] + float64(bias[j]))
						nearTile(t, fmt.Sprint(s), out.At(i, j), c, 1, 1.5*want.bound(i*n+j)+1e-6, to)
					}
				}
				if zeroPadding(t, fmt.Sprint(s), out); !intact() {
					t.Fatalf("%v: wrote past the end", s)
				}
			}
		}
	})
}

// TestSink_gated compares both halves of a gated MLP and their gradients with float64. The derivatives of SiLU and GELU
// are below 1.13, so an error of the gate at most grows by that.
func TestSink_gated(t *testing.T) {
	forEachPrecision(t, func(t *testing.T, r *rand.Rand, prec Precision) {
		for c, s := range sinkShapes {
			for _, act := range []Activation{SiLU, GELUTanh} {
				checkGatedSink(t, r, s[0], s[1], prec, act, c%2 == 0)
			}
		}
	})
}

func checkGatedSink(t *testing.T, r *rand.Rand, m, n int, prec Precision, act Activation, bias bool) {
	t.Helper()
	what := fmt.Sprintf("[%d,%d] %v bias=%v", m, n, act, bias)
	acts, whole := make([]Act, 6), make([]func() bool, 6)
	for i := range acts {
		acts[i], whole[i] = emptyAct(m, n, prec)
	}
	gate, up, out, again, dgate, dup := acts[0], acts[1], acts[2], acts[3], acts[4], acts[5]
	one, g := randomTerms(t, r, m, n, prec, false)
	two, u := randomTerms(t, r, m, n, prec, true)
	gb, ub, us, uh := make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n)
	for i := range us {
		us[i] = 1
	}
	sink := Sink{Kind: ToGated, Gate: gate, Up: up, Out: out, Act: act}
	if bias {
		gb, ub = randoms(r, n), randoms(r, n)
		us, uh = randoms(r, n), randoms(r, n)
		sink.First.Bias, sink.Pair = gb, Affine{Bias: ub, Scale: us, Shift: uh}
	}
	p := Product{M: m, N: n, Prec: prec, Sink: sink}
	one(&p)
	two(&p)
	p.Run()
	back, d := randomTerms(t, r, m, n, prec, false)
	p = Product{M: m, N: n, Prec: prec, Sink: Sink{Kind: ToGatedGrad, Gate: gate, Up: up, DGate: dgate, DUp: dup, Out: again, Act: act}}
	back(&p)
	p.Run()
	for i := range m {
		for j := range n {
			at := i*n + j
			gv, uv := g.want[at]+float64(gb[j]), (u.want[at]+float64(ub[j]))*float64(us[j])+float64(uh[j])
			ge, ue := g.bound(at)+1e-6, (u.bound(at)+1e-6)*math.Abs(float64(us[j]))+1e-6
			y, _, z := gateReference(gv, act)
			nearTile(t, what+" gate", gate.At(i, j), gv, 1, ge, prec)
			nearTile(t, what+" up", up.At(i, j), uv, 1, ue, prec)
			nearTile(t, what+" out", out.At(i, j), y*uv, 1, 1.13*ge*math.Abs(uv)+ue*math.Abs(y)+4e-7*(2+math.Abs(z))*math.Abs(y*uv)+1e-35, prec)
			gv, uv = float64(gate.At(i, j)), float64(up.At(i, j)) // the gradient begins with what was stored
			y, dy, z := gateReference(gv, act)
			tol := 4e-7 * (2 + math.Abs(z))
			nearTile(t, what+" out again", again.At(i, j), y*uv, 1, tol*math.Abs(y*uv)+1e-35, prec)
			nearTile(t, what+" dup", dup.At(i, j), d.want[at]*y, 1, (d.bound(at)+tol*math.Abs(d.want[at]))*math.Abs(y)+1e-35, prec)
			nearTile(t, what+" dgate", dgate.At(i, j), d.want[at]*uv*dy, math.Abs(uv), d.bound(at)*math.Abs(dy)+tol*math.Abs(d.want[at])*(math.Abs(dy)+0.5)+1e-35, prec)
		}
	}
	for i, a := range acts {
		if zeroPadding(t, what, a); !whole[i]() {
			t.Fatalf("%s: wrote past the end of %d", what, i)
		}
	}
	noOut := Sink{Kind: ToGatedGrad, Gate: gate, Up: up, DGate: gate, DUp: up, Act: act} // in place, out not wanted
	p = Product{M: m, N: n, Prec: prec, Sink: noOut}
	back(&p)
	p.Run()
	sameBits(t, what+" dgate in place", gate.data, dgate.data)
	sameBits(t, what+" dup in place", up.data, dup.data)
}

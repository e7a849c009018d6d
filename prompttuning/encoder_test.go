package prompttuning

import (
	"math"
	"math/rand/v2"
	"testing"

	"ft/internal/testkit"
	"ft/nn"
)

// reference is an encoder in float64, straight from the formulas. Its parameters are copies, by name.
type reference struct {
	e      *encoder
	values map[*nn.Param][]float64
}

func newReference(e *encoder) *reference {
	r := &reference{e: e, values: map[*nn.Param][]float64{}}
	for _, p := range e.params() {
		for _, v := range p.Data {
			r.values[p] = append(r.values[p], float64(v))
		}
	}
	return r
}

// apply is W·x + b.
func (r *reference) apply(w, b *nn.Param, x []float64) []float64 {
	y := make([]float64, w.Shape[0])
	for o := range y {
		y[o] = r.values[b][o]
		for i, v := range x {
			y[o] += r.values[w][o*len(x)+i] * v
		}
	}
	return y
}

// way is one direction of an LSTM layer over rows.
func (r *reference) way(w *lstmWay, rows [][]float64) [][]float64 {
	out := make([][]float64, len(rows))
	h, c := make([]float64, w.hidden), make([]float64, w.hidden)
	for t := range rows {
		at := t
		if w.reverse {
			at = len(rows) - 1 - t
		}
		x, s := r.apply(w.in.w, w.in.b, rows[at]), r.apply(w.w, w.b, h)
		gate := func(k, j int) float64 { return x[k*w.hidden+j] + s[k*w.hidden+j] }
		next := make([]float64, w.hidden)
		for j := range next {
			c[j] = c[j]/(1+math.Exp(-gate(1, j))) + math.Tanh(gate(2, j))/(1+math.Exp(-gate(0, j)))
			next[j] = math.Tanh(c[j]) / (1 + math.Exp(-gate(3, j)))
		}
		h, out[at] = next, next
	}
	return out
}

// prompt is the encoder's output.
func (r *reference) prompt() (all []float64) {
	width := r.e.embedding.Shape[1]
	rows := make([][]float64, r.e.embedding.Shape[0])
	for i := range rows {
		rows[i] = r.values[r.e.embedding][i*width : (i+1)*width]
	}
	for _, l := range r.e.lstm {
		a, b := r.way(l.ways[0], rows), r.way(l.ways[1], rows)
		for i := range rows {
			rows[i] = append(append([]float64(nil), a[i]...), b[i]...)
		}
	}
	for i, l := range r.e.layers {
		for j := range rows {
			rows[j] = r.apply(l.w, l.b, rows[j])
			for k, v := range rows[j] {
				if i < len(r.e.layers)-1 {
					rows[j][k] = r.e.act.f(v)
				}
			}
		}
	}
	for _, row := range rows {
		all = append(all, row...)
	}
	return all
}

// TestEncoder compares outputs and gradients with the reference, whose gradients are central differences in float64; a second pass adds up.
func TestEncoder(t *testing.T) {
	const n, width = 4, 5
	for name, build := range map[string]func(e *encoder){
		"two layers": func(e *encoder) {
			e.act = tanh
			e.add("a", 7)
			e.add("b", 6)
		},
		"three layers": func(e *encoder) {
			e.add("a", 7)
			e.add("b", 7)
			e.add("c", 6)
		},
		"lstm": func(e *encoder) {
			e.addLSTM("lstm", 2, 3)
			e.add("a", 6)
			e.add("b", 6)
		},
		"lstm of one layer": func(e *encoder) {
			e.addLSTM("lstm", 1, 3)
			e.add("a", 6)
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEncoder(nn.NewParam("prompt", n, 6), width, relu)
			build(e)
			e.begin(3)
			r := newReference(e)
			e.Forward()
			testkit.Near(t, "prompt", e.out.Data, r.prompt(), 1e-5, 0)
			rng := rand.New(rand.NewPCG(1, 2))
			d := make([]float64, e.out.Size())
			for i := range d {
				d[i] = rng.NormFloat64()
			}
			for range 2 {
				e.Forward()
				for i, v := range d {
					e.out.Grad[i] = float32(v)
				}
				e.Backward()
			}
			for _, v := range e.out.Grad {
				if v != 0 {
					t.Fatal("the prompt's gradient is not cleared")
				}
			}
			for p, x := range r.values {
				want := testkit.Gradient(func() (sum float64) {
					for i, v := range r.prompt() {
						sum += 2 * d[i] * v
					}
					return sum
				}, x, 1e-6)
				testkit.Near(t, p.Name, p.Grad, want, 2e-5, 1e-7)
			}
		})
	}
}

package lora

import (
	"math"

	"ft/internal/kernels"
	"ft/nn"
)

// dora keeps the factors g = m/‖W + s·B·A‖ that weight decomposition multiplies outputs with (Liu et al. 2024, arXiv:2402.09353, §4).
// As the paper suggests (§4.3) and PEFT does, the norms count as constants in the gradient. They are those of rows over the input
// features, and follow from ‖W‖², W·Aᵀ and A·Aᵀ, so that the sum of weight and product never exists:
//
//	‖W + s·B·A‖² = ‖W‖² + 2s·(W·Aᵀ ⊙ B)·1 + s²·(B·(A·Aᵀ) ⊙ B)·1
//
// With dropout, PEFT computes the layer's own product on dropped inputs too; here dropout is for the low-rank part alone, as in LoRA.
type dora struct {
	rows  []*magnitudes
	wa    []float32 // scratch: A·Wᵀ [rank,Out]
	gram  []float32 // scratch: A·Aᵀ [rank,rank]
	marks []uint64
}

// magnitudes are the factors of one layer.
type magnitudes struct {
	*lowRank
	pair [2]*nn.Param // what the slot holds
	g    *nn.Param    // [Out]
	norm []float64    // of the rows of W + s·B·A
	mark uint64       // of the A and B that norm was computed from
}

// newDoRA fills the slots for output factors of the layers that have magnitudes; nil if none has.
func newDoRA(modules []*lowRank) *dora {
	d := &dora{}
	for _, l := range modules {
		if l.m == nil {
			continue
		}
		m := newMagnitudes(l)
		m.g = nn.NewParam("", l.linear.Out())
		l.linear.SetOutScale(m.g, false)
		d.rows = append(d.rows, m)
		r := m.pair[0].Shape[0]
		d.wa, d.gram = kernels.Grow(d.wa, max(len(d.wa), r*l.linear.Out())), kernels.Grow(d.gram, max(len(d.gram), r*r))
	}
	if len(d.rows) == 0 {
		return nil
	}
	d.marks = make([]uint64, len(d.rows))
	return d
}

func newMagnitudes(l *lowRank) *magnitudes {
	a, b := l.slot()
	return &magnitudes{lowRank: l, pair: [2]*nn.Param{a, b}, norm: make([]float64, l.linear.Out())}
}

// startMagnitudes sets the magnitudes to the norms that the weight and the pair begin with.
func (l *lowRank) startMagnitudes() {
	m := newMagnitudes(l)
	r := m.pair[0].Shape[0]
	m.measure(make([]float32, r*l.linear.Out()), make([]float32, r*r))
	for o, v := range m.norm {
		l.m.Data[o] = float32(v)
	}
}

// normBlock is how many rows a parallel task takes.
const normBlock = 64

// squaredNorms are the sums of squares of a matrix's rows.
func squaredNorms(w *kernels.Matrix) []float64 {
	sums := make([]float64, w.Rows)
	kernels.Parallel((w.Rows+normBlock-1)/normBlock, func(i int) {
		row := make([]float32, w.Cols)
		for r := i * normBlock; r < min(w.Rows, (i+1)*normBlock); r++ {
			w.Row(row, r)
			sums[r] = kernels.SumSquares(row)
		}
	})
	return sums
}

// Forward computes the factors. Norms are computed again only if A or B changed, which passes of one step and evaluations do not do.
func (d *dora) Forward() {
	kernels.Parallel(len(d.rows), func(i int) { d.marks[i] = digest(digest(1, d.rows[i].pair[0].Data), d.rows[i].pair[1].Data) })
	for i, m := range d.rows {
		if m.mark != d.marks[i] {
			m.measure(d.wa, d.gram)
			m.mark = d.marks[i]
		}
		for o, v := range m.m.Data {
			m.g.Data[o] = factor(v, m.norm[o])
		}
	}
}

// measure computes the norms. wa and gram are scratch memory.
func (m *magnitudes) measure(wa, gram []float32) {
	out, in := m.size()
	a, b := m.pair[0].Data, m.pair[1].Data
	r, s := m.pair[0].Shape[0], float64(m.scale)
	if m.squares == nil {
		m.squares = squaredNorms(m.linear.Weight())
	}
	wa, gram = wa[:r*out], gram[:r*r]
	kernels.MulRows(r, kernels.RowProduct{Dst: wa, X: a, W: m.linear.Weight(), Prec: kernels.F32})
	kernels.Gemm(gram, r, a, in, false, a, in, true, r, r, in, 1, false)
	kernels.Parallel((out+normBlock-1)/normBlock, func(i int) {
		for o := i * normBlock; o < min(out, (i+1)*normBlock); o++ {
			cross, square := 0.0, 0.0
			for p, v := range b[o*r : (o+1)*r] {
				sum := 0.0
				for q, u := range b[o*r : (o+1)*r] {
					sum += float64(gram[p*r+q]) * float64(u)
				}
				cross += float64(v) * float64(wa[p*out+o])
				square += float64(v) * sum
			}
			m.norm[o] = math.Sqrt(max(0, m.squares[o]+2*s*cross+s*s*square))
		}
	})
}

// factor is m/norm. A row that is zero has no direction: it stays zero, where PEFT would divide by zero.
func factor(m float32, norm float64) float32 {
	if norm == 0 {
		return 0
	}
	return float32(float64(m) / norm)
}

// Backward adds the factors' gradients to those of the magnitudes.
func (d *dora) Backward() {
	for _, m := range d.rows {
		for o, g := range m.g.Grad {
			m.m.Grad[o] += factor(g, m.norm[o])
		}
		m.g.ZeroGrad()
	}
}

// digest mixes the bits of v into h: values that differ anywhere have another one, but for one chance in 2⁶⁴.
func digest(h uint64, v []float32) uint64 {
	for _, x := range v {
		h = (h ^ uint64(math.Float32bits(x))) * 0x9e3779b97f4a7c15
		h ^= h >> 32
	}
	return h
}

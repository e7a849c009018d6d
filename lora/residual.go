package lora

import (
	"fmt"
	"math"

	"ft/internal/linalg"
	"ft/nn"
	"ft/peft"
)

// The starts of A and B. PiSSA and OLoRA take a part of the base's weight over.
const (
	initDefault    = "default"
	initGaussian   = "gaussian"
	initOrthogonal = "orthogonal"
	initRandom     = "random"
	initPiSSA      = "pissa" // Meng, Wang and Zhang 2024, arXiv:2404.02948
	initOLoRA      = "olora" // Büyükakyüz 2024, arXiv:2406.01775
)

// inits are all starts.
var inits = []string{initDefault, initGaussian, initOrthogonal, initRandom, initPiSSA, initOLoRA}

// takesOver tells that a start changes what the base's weight counts for: W - s·B0·A0.
func takesOver(init string) bool { return init == initPiSSA || init == initOLoRA }

// residual is a module whose base counts for W - s·B0·A0, where A0 and B0 are its first A and B. The weight itself stays as it is in its file:
// the slot holds [A; A0] and [B, -B0], twice the rank, of which the second half is frozen. That is exact, where a residual rounded
// to the file's number type is not and one in float32 would cost the memory of the whole layer; it costs one more rank's products and no copy
// of anything but B. It is also how such an adapter is saved: as a plain one for the base as it is.
//
// PEFT drops inputs of s·B·A alone, here dropout works on the difference s·(B·A - B0·A0): without dropout they are the same, and
// with it a fresh adapter changes nothing in training either, where PEFT's disturbs the principal part of each layer.
type residual struct {
	rank int
	b    *nn.Param // [Out,R], trained; A is the first half of wideA's memory

	wideA, wideB *nn.Param // [2R,In], [Out,2R]
}

// takeOver gives the module the first A and B of a start, and the slot that goes with them.
func (m *lowRank) takeOver(init string, tol float64) error {
	r, in, out := m.rank, m.linear.In(), m.linear.Out()
	a, b, err := m.first(init, tol)
	if err != nil {
		return fmt.Errorf("init %s: %s: %w", init, m.linear.Name, err)
	}
	w := &residual{rank: r, wideA: nn.NewParam("", 2*r, in), wideB: nn.NewParam("", out, 2*r)}
	m.a = &nn.Param{Name: m.a.Name, Shape: []int{r, in}, Data: w.wideA.Data[: r*in : r*in], Grad: w.wideA.Grad[: r*in : r*in]}
	m.b = nn.NewParam(m.b.Name, out, r)
	w.b = m.b
	copy(m.a.Data, a)
	copy(w.wideA.Data[r*in:], a)
	copy(m.b.Data, b)
	for i := range out {
		for j, v := range b[i*r : (i+1)*r] {
			w.wideB.Data[i*2*r+r+j] = -v
		}
	}
	m.residual = w
	w.Forward()
	return nil
}

// first is A0 [R,In] and B0 [Out,R]: of PiSSA the best approximation of W by s·B0·A0, of OLoRA the leading part of W = Q·R, which is not
// divided by s, as in PEFT.
func (m *lowRank) first(init string, tol float64) (a, b []float32, err error) {
	if init == initOLoRA {
		q, r, err := linalg.LeadingQR(m.linear.Weight(), m.rank)
		return r, q, err
	}
	d, err := linalg.Truncated(m.linear.Weight(), m.rank, tol)
	if err != nil {
		return nil, nil, err
	}
	a, b = d.Split(float64(m.scale))
	return a, b, nil
}

// Forward puts B into the slot.
func (w *residual) Forward() {
	r := w.rank
	for i := range len(w.b.Data) / r {
		copy(w.wideB.Data[i*2*r:][:r], w.b.Data[i*r:(i+1)*r])
	}
}

// Backward takes B's gradient out of the slot and forgets that of A0 and B0.
func (w *residual) Backward() {
	r := w.rank
	for i := range len(w.b.Grad) / r {
		for j, v := range w.wideB.Grad[i*2*r:][:r] {
			w.b.Grad[i*r+j] += v
		}
	}
	clear(w.wideB.Grad)
	clear(w.wideA.Grad[len(w.wideA.Grad)/2:])
}

// freshTol is the tolerance of a new adapter's singular vectors. Whatever A0 and B0 are, the adapter is exact, so nothing is gained by more; a
// saved adapter that counts on the base's own needs them as they were.
const freshTol = 1e-3

// takeOver gives every module its first A and B where the start takes over a part of the base, and registers what follows from them. tol is that
// of linalg.Truncated.
func (a *adapter) takeOver(h peft.Host, tol float64) error {
	if !takesOver(a.settings.init) {
		return nil
	}
	for _, m := range a.modules {
		if m.embed != nil {
			return fmt.Errorf("init %s: the embedding %q has no part that could be taken over; leave it out of the targets", a.settings.init, m.embed.Name)
		}
		if err := m.takeOver(a.settings.init, tol); err != nil {
			return err
		}
	}
	for _, m := range a.modules {
		h.Stack().Derive(m.residual)
	}
	return nil
}

// converted is the settings of a plain adapter that does the same to the base as it is: twice the rank at the same scale.
func (s settings) converted() settings {
	if !takesOver(s.init) {
		return s
	}
	factor := 2.0
	if s.stabilized {
		factor = math.Sqrt2
	}
	s.init, s.rank, s.alpha = initDefault, 2*s.rank, factor*s.alpha
	s.ranks, s.alphas = s.ranks.times(2), s.alphas.times(factor)
	return s
}

// times is the rules with other values.
func (rs rules) times(f float64) rules {
	var out rules
	for _, r := range rs {
		r.value *= f
		out = append(out, r)
	}
	return out
}

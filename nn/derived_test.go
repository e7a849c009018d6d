package nn

import (
	"slices"
	"testing"
)

// halved is a derived value: a gain that is half of a parameter.
type halved struct {
	p, slot           *Param
	forward, backward int
}

func (h *halved) Forward() {
	h.forward++
	for i, v := range h.p.Data {
		h.slot.Data[i] = v / 2
	}
}

func (h *halved) Backward() {
	h.backward++
	for i, g := range h.slot.Grad {
		h.p.Grad[i] += g / 2
	}
	h.slot.ZeroGrad()
}

// TestStack_derive: derived values are computed for every pass and, while decoding, when something may have changed; their gradients
// arrive at the parameter.
func TestStack_derive(t *testing.T) {
	s, k := newStack(18, 2), newTask(18, 9)
	d := &halved{p: NewParam("p", dim), slot: NewParam("internal", dim)}
	copy(d.p.Data, newRandom(4).floats(dim, 2, 0.2))
	s.Blocks[1].Norms()[0].SetGain(d.slot)
	s.Derive(d)
	q := newSequences(t, s, 5)
	for at := range 3 {
		if q.decode(at, 0); d.forward != 1 {
			t.Fatalf("%d forward calls at token %d", d.forward, at)
		}
	}
	mustTrain(t, s, k, 1)
	if d.forward != 2 || d.backward != 1 {
		t.Fatalf("%d forward and %d backward calls", d.forward, d.backward)
	}
	if q.decode(3, 0); d.forward != 3 {
		t.Fatalf("%d forward calls after a training pass", d.forward)
	}
	checkGradient(t, s, k, d.p)
	if slices.Max(d.slot.Grad) != 0 || slices.Min(d.slot.Grad) != 0 {
		t.Error("the slot's gradient is not cleared")
	}
}

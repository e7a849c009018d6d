package trainer

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"
)

// penalised is a method with hooks around the fake's parameter: its term is 10, its gradient 2.
type penalised struct {
	fake    *fake
	begun   []int
	err     error
	updates []int
	grads   []float32 // what the parameter's gradient was at each update
	values  []float32 // what the parameter was at each update
}

func (p *penalised) Begin(steps int) error { p.begun = append(p.begun, steps); return p.err }

func (p *penalised) Penalty() float64 {
	p.fake.param.Grad[0] += 2
	return 10
}

func (p *penalised) Updated(t int) {
	p.updates = append(p.updates, t)
	p.grads = append(p.grads, p.fake.param.Grad[0])
	p.values = append(p.values, p.fake.param.Data[0])
}

// TestRun_hooks: the term is added once a step whatever the number of passes, counts in the loss, in the norm and in what is clipped;
// Updated sees the moved parameter and the clipped gradient.
func TestRun_hooks(t *testing.T) {
	tr := newTrial(8)
	tr.Config.Batch, tr.Config.Clip, tr.Pack = 4, 0.75, false
	h := &penalised{fake: tr.fake}
	tr.Hooks = h
	result := tr.run(t)
	if !slices.Equal(h.begun, []int{2}) || !slices.Equal(h.updates, []int{0, 1}) || result.Steps != 2 {
		t.Errorf("begun with %v, updates %v of %d steps", h.begun, h.updates, result.Steps)
	}
	for i, e := range tr.steps {
		// The fake's gradient is 1 and a sample's loss is its key, of two labels.
		sum := 0.0
		for _, k := range tr.keys()[i] {
			sum += float64(k)
		}
		if want := sum/8 + 10; math.Abs(e.Loss-want) > 1e-9 || math.Abs(e.GradNorm-3) > 1e-5 {
			t.Errorf("step %d: loss %g and gradient norm %g, want %g and 3", e.Step, e.Loss, e.GradNorm, want)
		}
		if math.Abs(float64(h.grads[i])-0.75) > 1e-5 {
			t.Errorf("step %d: behind the update the gradient is %g, want the clipped 0.75", e.Step, h.grads[i])
		}
	}
	if h.values[0] == 0 || h.values[1] == h.values[0] {
		t.Errorf("behind the updates the parameter is %v: it has not moved", h.values)
	}
}

// TestRun_tooShort: a method that cannot do with so few steps ends the run before the first one.
func TestRun_tooShort(t *testing.T) {
	tr := newTrial(3)
	want := errors.New("too short")
	tr.Hooks = &penalised{fake: tr.fake, err: want}
	if _, err := tr.Run(context.Background()); !errors.Is(err, want) || len(tr.fake.passes) > 0 {
		t.Errorf("error %v after %d steps, want %v before the first", err, len(tr.fake.passes), want)
	}
}

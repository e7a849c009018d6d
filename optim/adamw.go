package optim

import (
	"fmt"
	"math"

	"ft/internal/kernels"
)

// AdamWConfig holds the constants of AdamW. The learning rate comes with each step.
type AdamWConfig struct {
	// Beta1 and Beta2 are the decay rates of the running means of the gradient and of its square, in [0, 1).
	Beta1, Beta2 float64
	// Eps is added to the root of the second moment, after the bias correction.
	Eps float64
	// WeightDecay is the decoupled decay: lr*WeightDecay of each weight is taken off per step.
	WeightDecay float64
}

// DefaultAdamW returns PyTorch's constants, but with no weight decay (PyTorch: 0.01).
func DefaultAdamW() AdamWConfig {
	return AdamWConfig{Beta1: 0.9, Beta2: 0.999, Eps: 1e-8}
}

// Validate reports the first constant that is out of its range.
func (c AdamWConfig) Validate() error {
	// The comparisons are written so that NaN fails them.
	switch {
	case !(c.Beta1 >= 0 && c.Beta1 < 1):
		return fmt.Errorf("optim: adamw: beta1 must be in [0, 1), got %g", c.Beta1)
	case !(c.Beta2 >= 0 && c.Beta2 < 1):
		return fmt.Errorf("optim: adamw: beta2 must be in [0, 1), got %g", c.Beta2)
	case !(c.Eps >= 0) || math.IsInf(c.Eps, 0):
		return fmt.Errorf("optim: adamw: eps must be finite and at least 0, got %g", c.Eps)
	case !(c.WeightDecay >= 0) || math.IsInf(c.WeightDecay, 0):
		return fmt.Errorf("optim: adamw: weight decay must be finite and at least 0, got %g", c.WeightDecay)
	}
	return nil
}

// Param is one tensor of a step. Data is changed in place, Grad is only read; both have the
// tensor's number of elements and may not overlap.
type Param struct {
	Data, Grad []float32
	// LRScale multiplies the learning rate of this tensor (LoRA+ gives B a larger one). 0 means 1.
	LRScale float64
	// Decay says whether WeightDecay applies.
	Decay bool
}

// AdamW is the optimizer of Loshchilov and Hutter 2019 (arXiv:1711.05101, algorithm 2) in the order of
// operations of PyTorch's single-tensor AdamW: decay, moments, bias correction, update. Moments are
// float32; bias corrections are float64 scalars.
type AdamW struct {
	cfg   AdamWConfig
	step  int
	m, v  [][]float32
	spans []span
	steps []kernels.AdamW // the step under way, one for each tensor
}

// NewAdamW returns an optimizer for tensors with the given numbers of elements, its moments zero.
func NewAdamW(cfg AdamWConfig, sizes []int) (*AdamW, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	o := &AdamW{cfg: cfg, m: make([][]float32, len(sizes)), v: make([][]float32, len(sizes)), spans: spansOf(sizes), steps: make([]kernels.AdamW, len(sizes))}
	for i, n := range sizes {
		if n < 0 {
			return nil, fmt.Errorf("optim: adamw: tensor %d: size %d", i, n)
		}
		o.m[i], o.v[i] = make([]float32, n), make([]float32, n)
	}
	return o, nil
}

// AdamWBytes is the memory that the moments of n elements take.
func AdamWBytes(n int) int { return 2 * 4 * n }

// Step updates all parameters with learning rate lr. params must be the tensors NewAdamW was told of, in
// that order; if a size differs an error is returned and nothing is changed.
func (o *AdamW) Step(lr float64, params []Param) error {
	if len(params) != len(o.m) {
		return fmt.Errorf("optim: adamw: %d tensors given, made for %d", len(params), len(o.m))
	}
	for i, p := range params {
		if n := len(o.m[i]); len(p.Data) != n || len(p.Grad) != n {
			return fmt.Errorf("optim: adamw: tensor %d: %d weights and %d gradients given, made for %d", i, len(p.Data), len(p.Grad), n)
		}
	}
	o.step++
	step := kernels.AdamW{
		Grow1: float32(1 - o.cfg.Beta1), Beta2: float32(o.cfg.Beta2), Grow2: float32(1 - o.cfg.Beta2), Eps: float32(o.cfg.Eps),
		Root: float32(math.Sqrt(1 - math.Pow(o.cfg.Beta2, float64(o.step)))),
	}
	bias1 := 1 - math.Pow(o.cfg.Beta1, float64(o.step))
	for i, p := range params {
		rate, keep := lr, 1.0
		if p.LRScale != 0 {
			rate *= p.LRScale
		}
		if p.Decay {
			keep -= rate * o.cfg.WeightDecay
		}
		step.Keep, step.Rate = float32(keep), float32(rate/bias1)
		o.steps[i] = step
	}
	kernels.Parallel(len(o.spans), func(i int) {
		s := o.spans[i]
		p := &params[s.tensor]
		o.steps[s.tensor].Step(p.Data[s.lo:s.hi], p.Grad[s.lo:s.hi], o.m[s.tensor][s.lo:s.hi], o.v[s.tensor][s.lo:s.hi])
	})
	return nil
}

// State is what a checkpoint needs to go on: the number of steps done and the two moments of each
// tensor.
type State struct {
	Step int
	M, V [][]float32
}

// State returns the optimizer's state. The slices are the optimizer's own and change with the next
// Step.
func (o *AdamW) State() State { return State{Step: o.step, M: o.m, V: o.v} }

// Restore copies s into the optimizer. If a size differs an error is returned and nothing is changed.
func (o *AdamW) Restore(s State) error {
	if s.Step < 0 {
		return fmt.Errorf("optim: adamw: state: step %d", s.Step)
	}
	if len(s.M) != len(o.m) || len(s.V) != len(o.v) {
		return fmt.Errorf("optim: adamw: state has moments of %d and %d tensors, made for %d", len(s.M), len(s.V), len(o.m))
	}
	for i := range o.m {
		if n := len(o.m[i]); len(s.M[i]) != n || len(s.V[i]) != n {
			return fmt.Errorf("optim: adamw: state: tensor %d: moments of %d and %d elements, made for %d", i, len(s.M[i]), len(s.V[i]), n)
		}
	}
	o.step = s.Step
	for i := range o.m {
		copy(o.m[i], s.M[i])
		copy(o.v[i], s.V[i])
	}
	return nil
}

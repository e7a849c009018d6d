package adalora

import (
	"errors"
	"math"
	"slices"

	"ft/internal/kernels"
	"ft/nn"
)

// scores are the running means behind the importance of a module's weights (Zhang et al. 2023, §3.2), in the order A, E, B.
type scores struct {
	sensitivity, uncertainty [3][]float32
	triplets                 []float64 // [rank]
}

// Begin fits the schedule to a run of so many steps.
func (a *adapter) Begin(steps int) error {
	if a.cut {
		return errors.New("adalora: this adapter has its final ranks already and cannot be trained on")
	}
	var err error
	a.plan, err = a.config.planFor(steps)
	return err
}

// Updated scores the triplets behind step t, with the weights it led to and the gradient it was made with, and drops the worst when it is time.
func (a *adapter) Updated(t int) {
	switch last := a.plan.total - a.plan.tfinal; {
	case t < last:
		kernels.ParallelTasks(len(a.modules), (*measurement)(a))
		if budget, due := a.budget(t); due {
			a.drop(budget)
		}
	case t == last:
		a.drop(len(a.modules) * a.config.TargetRank)
		for _, m := range a.modules {
			m.scores = scores{}
		}
	default:
		a.mask()
	}
}

// budget is the number of triplets, over all modules, that are left behind step t before the final ones, and whether it is time to drop others.
func (a *adapter) budget(t int) (n int, due bool) {
	first, target := len(a.modules)*a.config.InitRank, len(a.modules)*a.config.TargetRank
	if t <= a.plan.tinit {
		return first, false
	}
	left := 1 - float64(t-a.plan.tinit)/float64(a.plan.total-a.plan.tfinal-a.plan.tinit)
	return int(float64(first-target)*left*left*left + float64(target)), t%a.config.DeltaT == 0
}

type measurement adapter

func (a *measurement) Task(i int) { a.modules[i].measure(a.config.Beta1, a.config.Beta2) }

// measure takes a step's weights and gradients into the running means and scores the module's triplets.
func (m *module) measure(beta1, beta2 float64) {
	s := &m.scores
	if s.triplets == nil {
		for i, p := range []*nn.Param{m.a, m.e, m.b} {
			s.sensitivity[i], s.uncertainty[i] = make([]float32, p.Size()), make([]float32, p.Size())
		}
		s.triplets = make([]float64, m.rank)
	}
	in, out := m.linear.In(), m.linear.Out()
	clear(s.triplets)
	for part, p := range []*nn.Param{m.a, m.e, m.b} {
		width := 1.0 // of the mean
		switch part {
		case 0:
			width = float64(in)
		case 2:
			width = float64(out)
		}
		sensitivity, uncertainty := s.sensitivity[part], s.uncertainty[part]
		for i, w := range p.Data {
			now := math.Abs(float64(w * p.Grad[i]))
			mean := beta1*float64(sensitivity[i]) + (1-beta1)*now
			spread := beta2*float64(uncertainty[i]) + (1-beta2)*math.Abs(now-mean)
			sensitivity[i], uncertainty[i] = float32(mean), float32(spread)
			k := i
			switch part {
			case 0:
				k = i / in
			case 2:
				k = i % m.rank
			}
			s.triplets[k] += mean * spread / width
		}
	}
}

// drop leaves the best triplets: of those that are worse than the budget's worst, the E becomes zero. One that was dropped before may come back,
// since the optimizer goes on moving its E.
func (a *adapter) drop(budget int) {
	all := a.sorted[:0]
	for _, m := range a.modules {
		all = append(all, m.scores.triplets...)
	}
	a.sorted = all
	n := len(all) - budget
	if n <= 0 {
		return
	}
	slices.Sort(all)
	for _, m := range a.modules {
		for k, score := range m.scores.triplets {
			m.dropped[k] = score <= all[n-1]
		}
	}
	a.masked = true
	a.mask()
}

// mask sets the E of what was dropped to zero.
func (a *adapter) mask() {
	for _, m := range a.modules {
		for k, dropped := range m.dropped {
			if dropped {
				m.e.Data[k] = 0
			}
		}
	}
}

package model

import (
	"fmt"

	"ft/dataset"
	"ft/internal/kernels"
	"ft/internal/op"
	"ft/nn"
)

// Model is a decoder with frozen weights. It is not safe for concurrent use: its buffers are reused from call to
// call, and each call uses all cores itself.
type Model struct {
	Spec   Spec
	family *Family
	stack  nn.Stack
	arena  *kernels.Arena
	forced *kernels.Precision
	pass   op.Pass // reused from call to call
	step   step    // of Extend
}

// SetPrecision fixes what products are computed in, whatever Precision would choose: float32 for scores and proofs.
func (m *Model) SetPrecision(p kernels.Precision) { m.forced = &p }

// WithPrecision runs f while products are computed in p.
func (m *Model) WithPrecision(p kernels.Precision, f func() error) error {
	defer func(before *kernels.Precision) { m.forced = before }(m.forced)
	m.forced = &p
	return f()
}

// Precision is what products are computed in: bfloat16 where the backend gains from it and every width is a multiple of
// 32, float32 otherwise. Sums, norms, the residual stream and adapters are float32 in either case.
func (m *Model) Precision() kernels.Precision {
	if m.forced != nil {
		return *m.forced
	}
	s := &m.Spec
	if !kernels.HasBF16() || (s.Dim|s.FF|s.Heads*s.HeadDim|s.KVHeads*s.HeadDim)%kernels.PanelCols != 0 {
		return kernels.F32
	}
	return kernels.BF16
}

// SetRecompute says whether training passes keep each block's input alone and compute the rest again in the backward
// pass: a third more arithmetic for a fraction of StateBytes. Results do not change.
func (m *Model) SetRecompute(on bool) { m.stack.Recompute = on }

// StateBytes is the memory, in bytes, that a training pass over one sequence of the given length, and the positions in front of it,
// keeps for its backward pass; it grows in proportion.
func (m *Model) StateBytes(tokens int) int64 {
	a := kernels.NewArena()
	defer a.Close() // nothing was written, so the system never gave the memory
	t := tokens + m.stack.Prompt()
	p := &op.Pass{T: t, Starts: []int32{0, int32(t)}, Pos: make([]int32, t), Prec: m.Precision(), Arena: a}
	return m.stack.StateBytes(p)
}

// Linears are the model's linear layers in the order of the Hugging Face model, the head last.
func (m *Model) Linears() []*nn.Linear { return m.stack.Linears() }

// Stack is the decoder with all the slots that methods fill.
func (m *Model) Stack() *nn.Stack { return &m.stack }

// Close gives the model's buffers back. The model must not be used afterwards.
func (m *Model) Close() error { return m.arena.Close() }

// Size is the number of weights in the model's matrices, a tied head counted once.
func (m *Model) Size() int {
	n := 0
	for _, e := range m.stack.Embeddings() {
		n += e.Table().Rows * e.Table().Cols
	}
	for _, l := range m.Linears() {
		if !l.Tied {
			n += l.In() * l.Out()
		}
	}
	return n
}

// ModelType is Hugging Face's name of the architecture.
func (m *Model) ModelType() string { return m.Spec.ModelType }

// DefaultTargets are the modules that Hugging Face PEFT changes in the architecture when an adapter of this kind names none (see
// Targets.Of).
func (m *Model) DefaultTargets(kind string) []string { return m.family.DefaultTargets.Of(kind) }

// Loss is the outcome of a pass.
type Loss struct {
	Sum       float64   // of cross-entropies in nats
	Tokens    int       // labelled positions
	PerSample []float64 // [S] each sample's part of Sum
}

// Mean is the loss per labelled token, in nats.
func (l Loss) Mean() float64 { return l.Sum / float64(l.Tokens) }

// TrainOptions are what a training pass depends on beside the batch.
type TrainOptions struct {
	Scale float32 // the gradient is of Scale times the sum: one over the step's labelled tokens
	Seed  uint64  // of dropout and noise
	Step  uint64
	// NEFTuneAlpha is the strength of the noise on the embeddings (see op.NEFTune); 0 is none.
	NEFTuneAlpha float64
}

// Loss computes a batch's loss without dropout and without gradients.
func (m *Model) Loss(b *dataset.Batch) (Loss, error) {
	p, ids, err := m.begin(b.IDs, b.Starts)
	if err != nil {
		return Loss{}, err
	}
	if err := m.checkLabels(b); err != nil {
		return Loss{}, err
	}
	losses := m.arena.Doubles(p.T)
	m.stack.Losses(p, ids, m.labels(p, b), losses)
	return summarise(b, p, losses), nil
}

// Train computes a batch's loss with dropout and adds its gradients to the parameters in the slots.
func (m *Model) Train(b *dataset.Batch, o TrainOptions) (Loss, error) {
	p, ids, err := m.begin(b.IDs, b.Starts)
	if err != nil {
		return Loss{}, err
	}
	if err := m.checkLabels(b); err != nil {
		return Loss{}, err
	}
	if len(b.Keys) != len(b.Starts)-1 {
		return Loss{}, fmt.Errorf("model: %d sample keys for %d samples", len(b.Keys), len(b.Starts)-1)
	}
	p.Train, p.Seed, p.Step, p.Keys, p.Noise = true, o.Seed, o.Step, b.Keys, o.NEFTuneAlpha
	losses := m.arena.Doubles(p.T)
	if err := m.stack.Train(p, ids, m.labels(p, b), losses, o.Scale); err != nil {
		return Loss{}, err
	}
	return summarise(b, p, losses), nil
}

func (m *Model) checkLabels(b *dataset.Batch) error {
	if len(b.Labels) != len(b.IDs) {
		return fmt.Errorf("model: %d labels for %d tokens", len(b.Labels), len(b.IDs))
	}
	for _, l := range b.Labels {
		if l != dataset.Ignore && (l < 0 || int(l) >= m.Spec.Vocab) {
			return fmt.Errorf("model: label %d, the vocabulary has %d tokens", l, m.Spec.Vocab)
		}
	}
	return nil
}

func summarise(b *dataset.Batch, p *op.Pass, losses []float64) Loss {
	l := Loss{Tokens: b.LabelTokens(), PerSample: make([]float64, len(b.Starts)-1)}
	for s := range l.PerSample {
		for _, v := range losses[p.Starts[s]:p.Starts[s+1]] {
			l.PerSample[s] += v
		}
		l.Sum += l.PerSample[s]
	}
	return l
}

// begin starts a pass over packed sequences from their beginnings, and returns its tokens, virtual ones among them.
func (m *Model) begin(ids, starts []int32) (*op.Pass, []int32, error) {
	if len(ids) == 0 || len(starts) < 2 || starts[0] != 0 || int(starts[len(starts)-1]) != len(ids) {
		return nil, nil, fmt.Errorf("model: a batch of %d tokens with sample bounds %v", len(ids), starts)
	}
	for s := 0; s+1 < len(starts); s++ {
		if starts[s+1] <= starts[s] || int(starts[s+1]) > len(ids) {
			return nil, nil, fmt.Errorf("model: sample %d of a batch has tokens %d to %d of %d", s, starts[s], starts[s+1], len(ids))
		}
	}
	if err := m.checkTokens(ids); err != nil {
		return nil, nil, err
	}
	p := m.newPass(len(ids) + (len(starts)-1)*m.stack.Prompt())
	p.Starts, ids = m.ahead(ids, starts)
	p.Pos = m.arena.Ints(p.T)
	first := int32(m.stack.Prefix())
	for s := 0; s+1 < len(starts); s++ {
		for i := p.Starts[s]; i < p.Starts[s+1]; i++ {
			p.Pos[i] = first + i - p.Starts[s]
		}
	}
	return p, ids, m.checkPositions(p.Pos)
}

// newPass takes pass and arena over for t tokens.
func (m *Model) newPass(t int) *op.Pass {
	m.arena.Reset()
	m.pass.Reset(t, m.Precision(), m.arena)
	return &m.pass
}

func (m *Model) checkTokens(ids []int32) error {
	for _, id := range ids {
		if id < 0 || int(id) >= m.Spec.Vocab {
			return fmt.Errorf("model: token %d, the vocabulary has %d tokens", id, m.Spec.Vocab)
		}
	}
	return nil
}

// checkPositions refuses positions that the model has no embedding for.
func (m *Model) checkPositions(pos []int32) error {
	last, why := m.Spec.Context, "" // with %d for last
	switch {
	case m.stack.Positions != nil:
		why = "the model has learned %d positions"
	case m.Spec.Rope.Kind == "dynamic":
		why = "dynamic rope scaling is supported up to the model's %d positions"
	case m.Spec.Rope.Kind == "longrope":
		why = "longrope is supported up to the %d positions of its short factors"
	default:
		return nil
	}
	for _, p := range pos {
		if int(p) >= last {
			return fmt.Errorf("model: position %d: "+why, p, last)
		}
	}
	return nil
}

// WithoutSlots runs f while no method contributes to the model: the base alone.
func (m *Model) WithoutSlots(f func() error) error { return m.stack.WithoutSlots(f) }

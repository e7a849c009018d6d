package nn

import (
	"fmt"

	"github.com/nlpodyssey/spago/ag"
	"github.com/nlpodyssey/spago/mat"

	"ft/internal/kernels"
	"ft/internal/op"
	"ft/internal/profile"
)

// Stack is a decoder as the graph sees it: embedding, blocks, final norm, head.
type Stack struct {
	Embed     *Embedding
	Positions *Embedding // added to Embed's, by a token's position; or nil
	Blocks    []*Block
	Norm      *Norm // the final one
	Head      *Linear

	InputScale float32 // factor of the first block's input; 0 stands for 1
	LogitScale float32 // factor of logits; 0 stands for 1
	LogitCap   float32 // soft cap of logits (see op.Head); 0: none

	// Recompute keeps only each block's input in a training pass and computes the rest again when its gradient is due:
	// one more forward pass for a fraction of the memory. Losses and gradients are the same, bit for bit.
	Recompute bool

	prefix  *Param    // in front of every sequence; or nil
	ops     []blockOp // of the last training pass, for reuse
	derived []Derived
	stale   bool // a parameter may have changed since derived values were computed
}

// Linears are all linear layers in the order of the Hugging Face model, the head last.
func (s *Stack) Linears() []*Linear {
	var out []*Linear
	for _, b := range s.Blocks {
		out = append(out, b.Linears()...)
	}
	return append(out, s.Head)
}

// Norms are all norms in the order of the Hugging Face model, the final one last.
func (s *Stack) Norms() []*Norm {
	var out []*Norm
	for _, b := range s.Blocks {
		out = append(out, b.Norms()...)
	}
	return append(out, s.Norm)
}

// ClearSlots takes every method's contribution out: the stack is the base's again.
func (s *Stack) ClearSlots() {
	for _, e := range s.Embeddings() {
		e.ClearSlots()
	}
	for _, l := range s.Linears() {
		l.ClearSlots()
	}
	for _, n := range s.Norms() {
		n.ClearSlots()
	}
	s.clearPrefix()
	s.derived = nil
}

// WithoutSlots runs f while all slots are empty: the base as it was before any method.
func (s *Stack) WithoutSlots(f func() error) error {
	for _, e := range s.Embeddings() {
		defer e.suspend()()
	}
	for _, l := range s.Linears() {
		defer l.suspend()()
	}
	for _, n := range s.Norms() {
		defer n.suspend()()
	}
	defer s.clearPrefix()()
	derived := s.derived
	s.derived = nil
	defer func() { s.derived, s.stale = derived, true }()
	return f()
}

// Embeddings are the embedding of tokens and, where the model has one, that of positions.
func (s *Stack) Embeddings() []*Embedding {
	if s.Positions == nil {
		return []*Embedding{s.Embed}
	}
	return []*Embedding{s.Embed, s.Positions}
}

func (s *Stack) head() *op.Head {
	return &op.Head{Norm: &s.Norm.op, Out: &s.Head.op, Scale: s.LogitScale, Cap: s.LogitCap}
}

// embed begins a pass: the embeddings [T,D] of its tokens.
func (s *Stack) embed(p *op.Pass, ids []int32) []float32 {
	s.derive()
	defer profile.Start(profile.Embedding).Stop()
	x := p.Floats(p.T * s.Embed.op.W.Cols)
	op.EmbedForward(p.Arena, &s.Embed.op, x, ids)
	if p.Noise > 0 {
		op.NEFTune(p, x, s.Prompt(), p.Noise)
	}
	s.place(p.Arena, x, p.Pos)
	return x
}

// place turns embeddings x [T,D] of tokens at positions pos into the first block's input.
func (s *Stack) place(a *kernels.Arena, x []float32, pos []int32) {
	if s.Positions != nil {
		mark := a.Mark()
		defer a.Release(mark)
		y := a.Floats(len(x))
		op.EmbedForward(a, &s.Positions.op, y, pos)
		kernels.Add(x, y)
	}
	if s.InputScale != 0 {
		kernels.Scale(x, s.InputScale)
	}
}

// placeBack adds the gradients of the embeddings' slots from dx [T,D], that of the first block's input, which it spoils.
func (s *Stack) placeBack(p *op.Pass, dx []float32, ids []int32) {
	if s.InputScale != 0 {
		kernels.Scale(dx, s.InputScale)
	}
	op.EmbedBackward(p.Arena, &s.Embed.op, dx, ids)
	if s.Positions != nil {
		op.EmbedBackward(p.Arena, &s.Positions.op, dx, p.Pos)
	}
}

// Losses computes each labelled position's cross-entropy into losses [T] (see op.HeadLoss) for the tokens ids [T], keeping nothing.
func (s *Stack) Losses(p *op.Pass, ids, labels []int32, losses []float64) {
	x := s.Hidden(p, ids)
	op.HeadLoss(p, s.head(), x, labels, losses, nil, 0)
}

// Hidden runs the tokens ids [T] of sequences that begin in this pass through all blocks and returns the residual stream [T,D], the
// final norm's input, in the pass's arena.
func (s *Stack) Hidden(p *op.Pass, ids []int32) []float32 {
	x := s.embed(p, ids)
	for _, b := range s.Blocks {
		b.Eval(p, x)
	}
	return x
}

// Extend is Hidden for sequences that go on from their caches.
func (s *Stack) Extend(p *op.Pass, ids []int32, caches []*Cache) []float32 {
	x := s.embed(p, ids)
	for i, b := range s.Blocks {
		b.Extend(p, i, caches, x)
	}
	for i, c := range caches {
		c.Advance(int(p.Starts[i+1] - p.Starts[i]))
	}
	return x
}

// Logits calls f with the logits [V] of the given rows of a hidden state [T,D] (see op.HeadLogits).
func (s *Stack) Logits(p *op.Pass, x []float32, rows []int32, f func(i int, logits []float32)) {
	op.HeadLogits(p, s.head(), x, rows, f)
}

// StateBytes is what a training pass p keeps for its backward pass, in bytes.
func (s *Stack) StateBytes(p *op.Pass) int64 {
	var total int64
	for i, b := range s.Blocks {
		mark := p.Arena.Used()
		if s.Recompute {
			p.Floats(p.T * len(s.Norm.op.Gain))
		}
		if !s.Recompute || i == 0 { // with Recompute, of the block whose gradient is due
			b.room(p)
		}
		total += p.Arena.Used() - mark
		p.Arena.Reset()
	}
	return total
}

// Train computes the losses as Losses does and adds scale times the gradient of their sum to the parameters in the slots.
// It builds spago's graph, one operator for the embedding, one per block and one for head and loss, and runs it backward: spago
// finds which operators have anything to train below them, so nothing is computed below the lowest trainable parameter.
func (s *Stack) Train(p *op.Pass, ids, labels []int32, losses []float64, scale float32) error {
	g := &graph{pass: p}
	if len(s.ops) != len(s.Blocks) {
		s.ops = make([]blockOp, len(s.Blocks))
	}
	defer clear(s.ops)
	var node mat.Tensor = ag.NewOperator(&embedOp{g: g, s: s, ids: ids}).Run()
	for i, b := range s.Blocks {
		s.ops[i] = blockOp{g: g, b: b, layer: i, again: s.Recompute, x: node, trains: b.trains()}
		node = ag.NewOperator(&s.ops[i]).Run()
	}
	loss := ag.NewOperator(&lossOp{
		g: g, s: s, x: node, trains: trains(s.Head) || trains(s.Norm), labels: labels, losses: losses, scale: scale,
	}).Run()
	if g.err != nil {
		return g.err
	}
	loss.Value().AccGrad(&tensor{data: []float32{1}})
	if err := ag.Backward(loss); err != nil {
		return fmt.Errorf("nn: backward: %w", err)
	}
	if g.err == nil {
		s.deriveBack()
	}
	return g.err
}

// graph is shared by the operators of one pass. spago ends the process when an operator returns an error, and an
// operator's panic in its backward goroutine would too: operators return none and leave what happened here.
type graph struct {
	pass *op.Pass
	err  error
}

// part is what an operator was doing, for the message about a panic.
type part string

const (
	forward  part = "block %d, forward"
	backward part = "block %d, backward"
	headLoss part = "head and loss"
	embedIn  part = "embedding"
)

// guard runs f and records a panic as the graph's error; after an error nothing more is computed.
func (g *graph) guard(layer int, p part, f func()) {
	if g.err != nil {
		return
	}
	defer func() {
		if r := recover(); r != nil {
			what := string(p)
			if p == forward || p == backward {
				what = fmt.Sprintf(what, layer)
			}
			g.err = fmt.Errorf("nn: %s: internal error: %v", what, r)
		}
	}()
	f()
}

// embedOp is the embedding, where the graph begins.
type embedOp struct {
	g   *graph
	s   *Stack
	ids []int32
}

func (o *embedOp) Operands() []mat.Tensor {
	if trains(o.s.Embeddings()...) {
		return []mat.Tensor{trained}
	}
	return nil
}

func (o *embedOp) Forward() (mat.Tensor, error) {
	var x []float32
	o.g.guard(0, embedIn, func() { x = o.s.embed(o.g.pass, o.ids) })
	return &tensor{data: x}, nil
}

func (o *embedOp) Backward(gy mat.Tensor) error {
	dx := gy.(*tensor).data
	o.g.guard(0, embedIn, func() {
		defer profile.Start(profile.Embedding).Stop()
		o.s.placeBack(o.g.pass, dx, o.ids)
	})
	return nil
}

// blockOp is one block in the graph.
type blockOp struct {
	g      *graph
	b      *Block
	layer  int
	again  bool // the state is computed again for the backward pass
	x      mat.Tensor
	trains bool // a slot of the block has parameters
	st     blockState
	in     []float32 // a copy of the input, if again
}

func (o *blockOp) Operands() []mat.Tensor { return operands(o.x, o.trains) }

// Forward changes the residual stream in place: nobody needs what it was before the block.
func (o *blockOp) Forward() (mat.Tensor, error) {
	x := o.x.Value().(*tensor)
	o.g.guard(o.layer, forward, func() {
		p := o.g.pass
		switch {
		case !o.x.RequiresGrad() && !o.trains:
			o.b.Eval(p, x.data)
		case o.again:
			o.in = p.Floats(len(x.data))
			copy(o.in, x.data)
			o.b.Eval(p, x.data)
		default:
			o.st = o.b.room(p)
			o.b.forward(p, &o.st, x.data)
		}
	})
	return &tensor{data: x.data}, nil
}

func (o *blockOp) Backward(gy mat.Tensor) error {
	dx := gy.(*tensor)
	needDx := o.x.RequiresGrad()
	o.g.guard(o.layer, backward, func() {
		p := o.g.pass
		mark := p.Arena.Mark()
		defer p.Arena.Release(mark)
		if o.again {
			o.st = o.b.room(p)
			o.b.forward(p, &o.st, o.in) // spoils the copy, which nobody needs any more
		}
		o.b.backward(p, &o.st, dx.data, needDx)
	})
	if needDx {
		o.x.AccGrad(dx)
	}
	return nil
}

// lossOp is head and loss. Its gradient is taken in the forward pass, while the logits are there.
type lossOp struct {
	g      *graph
	s      *Stack
	x      mat.Tensor
	trains bool
	labels []int32
	losses []float64
	scale  float32
	dx     []float32
}

func (o *lossOp) Operands() []mat.Tensor { return operands(o.x, o.trains) }

func (o *lossOp) Forward() (mat.Tensor, error) {
	x := o.x.Value().(*tensor).data
	o.dx = o.g.pass.Floats(len(x))
	o.g.guard(0, headLoss, func() {
		defer profile.Start(profile.Head).Stop()
		op.HeadLoss(o.g.pass, o.s.head(), x, o.labels, o.losses, o.dx, o.scale)
	})
	return &tensor{data: []float32{0}}, nil
}

func (o *lossOp) Backward(mat.Tensor) error {
	if o.x.RequiresGrad() {
		o.x.AccGrad(&tensor{data: o.dx})
	}
	return nil
}

package nn

import (
	"slices"

	"ft/internal/kernels"
	"ft/internal/op"
	"ft/internal/profile"
)

// Block is one transformer block in the order of llama: norm, attention, residual, norm, gated MLP, residual.
type Block struct {
	Q, K, V, O     *Linear
	Gate, Up, Down *Linear
	norms          []*Norm

	qkv  op.QKV
	rope *op.Rope
	attn op.Attention
	mlp  op.MLP
}

// BlockConfig is what a block needs beside its projections.
type BlockConfig struct {
	Heads, KVHeads, HeadDim int
	Scale                   float32 // of attention scores
	AttnNorm, MLPNorm       *Norm
	Rope                    *op.Rope
}

// NewBlock puts a block together. Shapes are the caller's to check.
func NewBlock(c BlockConfig, q, k, v, o, gate, up, down *Linear) *Block {
	return &Block{
		Q: q, K: k, V: v, O: o, Gate: gate, Up: up, Down: down,
		qkv: op.QKV{
			Norm: &c.AttnNorm.op, Q: &q.op, K: &k.op, V: &v.op,
		},
		rope:  c.Rope,
		attn:  op.Attention{Heads: c.Heads, KVHeads: c.KVHeads, HeadDim: c.HeadDim, Scale: c.Scale},
		norms: []*Norm{c.AttnNorm, c.MLPNorm},
		mlp:   op.MLP{Norm: &c.MLPNorm.op, Gate: &gate.op, Up: &up.op, Down: &down.op},
	}
}

// Linears are the block's linear layers, in the order of the Hugging Face model.
func (b *Block) Linears() []*Linear {
	return []*Linear{b.Q, b.K, b.V, b.O, b.Gate, b.Up, b.Down}
}

// Heads are the numbers of query heads and of key/value heads, and the features of each.
func (b *Block) Heads() (heads, kvHeads, headDim int) {
	return b.attn.Heads, b.attn.KVHeads, b.attn.HeadDim
}

// Norms are the block's norms, in the order of the Hugging Face model.
func (b *Block) Norms() []*Norm { return b.norms }

// trains reports whether a slot of the block has parameters.
func (b *Block) trains() bool {
	return b.prefixTrains() || trains(b.Q, b.K, b.V, b.O, b.Gate, b.Up, b.Down) || trains(b.norms...)
}

// prefixTrains reports whether the block has a prefix that is not frozen.
func (b *Block) prefixTrains() bool { return b.attn.Prefix != nil && b.attn.Prefix.DK != nil }

// blockState is what the block's backward pass needs from its forward pass.
type blockState struct {
	qkv  op.QKVState
	attn op.AttentionState
	att  kernels.Act // [T,H·HeadDim]
	o    op.LinearState
	mlp  op.MLPState
}

// room is memory for the state, in the arena.
func (b *Block) room(p *op.Pass) blockState {
	return blockState{
		qkv: b.qkv.Room(p), attn: b.attn.Room(p), att: p.Act(p.T, b.O.In()), o: op.ProjectRoom(p, &b.O.op), mlp: b.mlp.Room(p),
	}
}

// forward adds the block's output to the residual stream x [T,D], for sequences that begin in this pass.
func (b *Block) forward(p *op.Pass, st *blockState, x []float32) {
	mark := p.Arena.Mark()
	span := profile.Start(profile.QKV)
	q, k, v := b.rows(p)
	op.QKVForward(p, &b.qkv, &st.qkv, q, k, v, x)
	span = span.Then(profile.Attention)
	op.AttentionForward(p, &b.attn, b.rope, &st.attn, st.att, q, k, v)
	p.Arena.Release(mark)
	span = span.Then(profile.Project)
	op.ProjectForward(p, &b.O.op, st.o, x, st.att)
	span = span.Then(profile.MLP)
	op.MLPForward(p, &b.mlp, &st.mlp, x)
	span.Stop()
}

// rows is memory for queries, keys and values [T,·].
func (b *Block) rows(p *op.Pass) (q, k, v []float32) {
	return p.Floats(p.T * b.Q.Out()), p.Floats(p.T * b.K.Out()), p.Floats(p.T * b.V.Out())
}

// ownKV splits the pass's own keys and values by sample.
func (b *Block) ownKV(p *op.Pass, k, v []float32) []op.KV {
	n := b.K.Out()
	kv := make([]op.KV, len(p.Starts)-1)
	for s := range kv {
		lo, hi := int(p.Starts[s])*n, int(p.Starts[s+1])*n
		kv[s] = op.KV{K: k[lo:hi], V: v[lo:hi]}
	}
	return kv
}

// backward turns dx, which holds the gradient of the block's output, into that of its input in place, and
// adds the slots' gradients. With needDx false the input's gradient is not computed and dx is spoilt.
func (b *Block) backward(p *op.Pass, st *blockState, dx []float32, needDx bool) {
	attnTrains := trains(b.Q, b.K, b.V) || trains(b.norms[0])
	needAttn := needDx || attnTrains || b.prefixTrains()
	needMid := needAttn || trains(b.O)
	span := profile.Start(profile.MLPBack)
	defer func() { span.Stop() }()
	op.MLPBackward(p, &b.mlp, &st.mlp, dx, needMid)
	if !needMid {
		return
	}
	mark := p.Arena.Mark()
	defer p.Arena.Release(mark)
	span = span.Then(profile.ProjectBack)
	if !needAttn {
		op.ProjectBackward(p, &b.O.op, nil, dx, st.att, st.o)
		return
	}
	datt := p.Floats(p.T * b.O.In())
	op.ProjectBackward(p, &b.O.op, datt, dx, st.att, st.o)
	dq, dk, dv := p.Act(p.T, b.Q.Out()), p.Act(p.T, b.K.Out()), p.Act(p.T, b.V.Out())
	span = span.Then(profile.AttnBack)
	op.AttentionBackward(p, &b.attn, b.rope, &st.attn, dq, dk, dv, datt)
	if !needDx && !attnTrains {
		return
	}
	if !needDx {
		dx = nil
	}
	span = span.Then(profile.QKVBack)
	op.QKVBackward(p, &b.qkv, &st.qkv, dx, dq, dk, dv)
}

// trains reports whether a slot of one of the parts has parameters.
func trains[P interface{ Params() []*Param }](parts ...P) bool {
	return slices.ContainsFunc(parts, func(p P) bool { return len(p.Params()) > 0 })
}

// Extend adds the block's output to x [T,D] for sequences whose earlier keys and values are in caches, one per sequence
// of the pass, and appends this pass's to them. layer is the block's number.
func (b *Block) Extend(p *op.Pass, layer int, caches []*Cache, x []float32) {
	mark := p.Arena.Mark()
	defer p.Arena.Release(mark)
	st := b.room(p)
	q, k, v := b.rows(p)
	op.QKVForward(p, &b.qkv, &st.qkv, q, k, v, x)
	b.attn.Rotate(p, b.rope, q, k)
	own := b.ownKV(p, k, v)
	kv := make([]op.KV, len(caches))
	for s, c := range caches {
		kv[s] = c.append(layer, own[s], p.Arena)
	}
	op.AttentionExtend(p, &b.attn, st.att, q, kv)
	op.ProjectForward(p, &b.O.op, st.o, x, st.att)
	op.MLPForward(p, &b.mlp, &st.mlp, x)
}

// Eval adds the block's output to x [T,D] for sequences that begin in this pass, keeping nothing.
func (b *Block) Eval(p *op.Pass, x []float32) {
	mark := p.Arena.Mark()
	st := b.room(p)
	b.forward(p, &st, x)
	p.Arena.Release(mark)
}

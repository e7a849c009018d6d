package nn

import (
	"slices"

	"ft/internal/kernels"
	"ft/internal/op"
	"ft/internal/profile"
)

// Block is one transformer block: attention and an MLP, each with norms before or after it, or both, and a residual connection.
type Block struct {
	linears []*Linear // in the order of the Hugging Face model
	norms   []*Norm
	inputs  []*Linear // those of linears and norms that the queries, keys and values come through
	early   []*Norm
	o       *Linear
	post    []*Norm // behind o, if any

	qkv  op.QKV
	rope *op.Rope
	attn op.Attention
	out  op.Project
	mlp  op.MLP
}

// BlockConfig is what a block is made of.
type BlockConfig struct {
	Heads, KVHeads, HeadDim int
	Scale                   float32            // of attention scores
	Window                  int                // keys that a query sees, its own included; 0: all
	SoftCap                 float32            // of attention scores (see op.Attention); 0: none
	Rope                    *op.Rope           // nil: queries and keys are not rotated
	Act                     kernels.Activation // of the MLP
	Residual                float32            // factor of what both halves add; 0 stands for 1; not with AttnPost or MLPPost

	Q, K, V, O     *Linear
	QKV            *Linear // NewFused, instead of Q, K and V
	Gate, Up, Down *Linear // without Gate and GateUp the MLP is Down(Act(Up))
	GateUp         *Linear // NewFused, instead of Gate and Up

	AttnNorm, AttnPost *Norm // before and after attention; nil: none
	MLPNorm, MLPPost   *Norm // before and after the MLP; nil: none
	QNorm, KNorm       *Norm // of queries and keys (see op.QKV); nil: none
}

// NewBlock puts a block together. Shapes are the caller's to check.
func NewBlock(c BlockConfig) *Block {
	b := &Block{
		linears: present(c.Q, c.K, c.V, c.QKV, c.O, c.Gate, c.Up, c.GateUp, c.Down),
		norms:   present(c.QNorm, c.KNorm, c.AttnNorm, c.AttnPost, c.MLPNorm, c.MLPPost),
		inputs:  present(c.Q, c.K, c.V, c.QKV), early: present(c.AttnNorm, c.QNorm, c.KNorm),
		o: c.O, post: present(c.AttnPost),
		rope: c.Rope,
		attn: op.Attention{
			Heads: c.Heads, KVHeads: c.KVHeads, HeadDim: c.HeadDim, Scale: c.Scale, Window: c.Window, SoftCap: c.SoftCap,
		},
		qkv: op.QKV{Norm: c.AttnNorm.stage(), QNorm: c.QNorm.stage(), KNorm: c.KNorm.stage()},
		out: op.Project{Out: &c.O.op, Residual: op.Residual{Norm: c.AttnPost.stage(), Scale: c.Residual}},
		mlp: op.MLP{
			Norm: c.MLPNorm.stage(), Down: &c.Down.op, Act: c.Act, Residual: op.Residual{Norm: c.MLPPost.stage(), Scale: c.Residual},
		},
	}
	if c.QKV != nil {
		b.qkv.Q, b.qkv.K, b.qkv.V = c.QKV.parts[0].op, c.QKV.parts[1].op, c.QKV.parts[2].op
	} else {
		b.qkv.Q, b.qkv.K, b.qkv.V = &c.Q.op, &c.K.op, &c.V.op
	}
	switch {
	case c.GateUp != nil:
		b.mlp.Gate, b.mlp.Up = c.GateUp.parts[0].op, c.GateUp.parts[1].op
	case c.Gate != nil:
		b.mlp.Gate, b.mlp.Up = &c.Gate.op, &c.Up.op
	default:
		b.mlp.Up = &c.Up.op
	}
	return b
}

// Linears are the block's linear layers, in the order of the Hugging Face model.
func (b *Block) Linears() []*Linear { return b.linears }

// Heads are the numbers of query heads and of key/value heads, and the features of each.
func (b *Block) Heads() (heads, kvHeads, headDim int) {
	return b.attn.Heads, b.attn.KVHeads, b.attn.HeadDim
}

// Norms are the block's norms, in the order of the Hugging Face model.
func (b *Block) Norms() []*Norm { return b.norms }

// present are the parts that are there.
func present[T any](parts ...*T) []*T {
	return slices.DeleteFunc(parts, func(p *T) bool { return p == nil })
}

// trains reports whether a slot of the block has parameters.
func (b *Block) trains() bool {
	return b.prefixTrains() || trains(b.linears...) || trains(b.norms...)
}

// prefixTrains reports whether the block has a prefix that is not frozen.
func (b *Block) prefixTrains() bool { return b.attn.Prefix != nil && b.attn.Prefix.DK != nil }

// blockState is what the block's backward pass needs from its forward pass.
type blockState struct {
	qkv  op.QKVState
	attn op.AttentionState
	att  kernels.Act // [T,H·HeadDim]
	out  op.ProjectState
	mlp  op.MLPState
}

// room is memory for the state, in the arena.
func (b *Block) room(p *op.Pass) blockState {
	return blockState{
		qkv: b.qkv.Room(p), attn: b.attn.Room(p), att: p.Act(p.T, b.out.Out.W.Cols), out: b.out.Room(p), mlp: b.mlp.Room(p),
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
	op.ProjectForward(p, &b.out, &st.out, x, st.att)
	span = span.Then(profile.MLP)
	op.MLPForward(p, &b.mlp, &st.mlp, x)
	span.Stop()
}

// rows is memory for queries, keys and values [T,·].
func (b *Block) rows(p *op.Pass) (q, k, v []float32) {
	return p.Floats(p.T * b.qkv.Q.W.Rows), p.Floats(p.T * b.qkv.K.W.Rows), p.Floats(p.T * b.qkv.V.W.Rows)
}

// ownKV splits the pass's own keys and values by sample.
func (b *Block) ownKV(p *op.Pass, k, v []float32) []op.KV {
	n := b.qkv.K.W.Rows
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
	attnTrains := trains(b.inputs...) || trains(b.early...)
	needAttn := needDx || attnTrains || b.prefixTrains()
	needMid := needAttn || trains(b.o) || trains(b.post...)
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
		op.ProjectBackward(p, &b.out, nil, dx, st.att, &st.out)
		return
	}
	datt := p.Floats(p.T * st.att.F)
	op.ProjectBackward(p, &b.out, datt, dx, st.att, &st.out)
	dq, dk, dv := p.Act(p.T, b.qkv.Q.W.Rows), p.Act(p.T, b.qkv.K.W.Rows), p.Act(p.T, b.qkv.V.W.Rows)
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
	op.ProjectForward(p, &b.out, &st.out, x, st.att)
	op.MLPForward(p, &b.mlp, &st.mlp, x)
}

// Eval adds the block's output to x [T,D] for sequences that begin in this pass, keeping nothing.
func (b *Block) Eval(p *op.Pass, x []float32) {
	mark := p.Arena.Mark()
	st := b.room(p)
	b.forward(p, &st, x)
	p.Arena.Release(mark)
}

package nn

import "ft/internal/op"

// Block is one transformer block in the order of llama: norm, attention, residual, norm, gated MLP, residual.
type Block struct {
	Q, K, V, O     *Linear
	Gate, Up, Down *Linear

	qkv  op.QKV
	attn op.Attention
	mlp  op.MLP
}

// BlockConfig is what a block needs beside its projections.
type BlockConfig struct {
	Heads, KVHeads, HeadDim int
	Eps                     float32
	Scale                   float32   // of attention scores
	AttnGain, MLPGain       []float32 // [D] RMS norm gains
	Rope                    *op.Rope
}

// NewBlock puts a block together. Shapes are the caller's to check.
func NewBlock(c BlockConfig, q, k, v, o, gate, up, down *Linear) *Block {
	return &Block{
		Q: q, K: k, V: v, O: o, Gate: gate, Up: up, Down: down,
		qkv: op.QKV{
			Gain: c.AttnGain, Eps: c.Eps, Q: &q.op, K: &k.op, V: &v.op, HeadDim: c.HeadDim, Rope: c.Rope,
		},
		attn: op.Attention{Heads: c.Heads, KVHeads: c.KVHeads, HeadDim: c.HeadDim, Scale: c.Scale},
		mlp:  op.MLP{Gain: c.MLPGain, Eps: c.Eps, Gate: &gate.op, Up: &up.op, Down: &down.op},
	}
}

// Linears are the block's linear layers, in the order of the Hugging Face model.
func (b *Block) Linears() []*Linear {
	return []*Linear{b.Q, b.K, b.V, b.O, b.Gate, b.Up, b.Down}
}

// params are the trainable parameters in the block's slots.
func (b *Block) params() []*Param {
	var out []*Param
	for _, l := range b.Linears() {
		out = append(out, l.params...)
	}
	return out
}

// blockState is what the block's backward pass needs from its forward pass.
type blockState struct {
	x, mid   []float32 // [T,D] input and residual stream between the halves
	qkv      op.QKVState
	att, lse []float32 // [T,H·HeadDim], [T,H]
	uo       []float32
	mlp      op.MLPState
}

// forward computes out [T,D] from x for sequences that begin in this pass. What the state holds lives in the arena.
func (b *Block) forward(p *op.Pass, out, x []float32) *blockState {
	st := &blockState{x: x, mid: p.Floats(len(x))}
	st.qkv = op.QKVForward(p, &b.qkv, x)
	st.att, st.lse = p.Floats(len(st.qkv.Q)), p.Floats(p.T*b.attn.Heads)
	op.AttentionForward(p, &b.attn, st.att, st.lse, st.qkv.Q, b.ownKV(p, &st.qkv))
	st.uo = op.ProjectForward(p, &b.O.op, st.mid, x, st.att)
	st.mlp = op.MLPForward(p, &b.mlp, out, st.mid)
	return st
}

// ownKV splits the pass's own keys and values by sample.
func (b *Block) ownKV(p *op.Pass, st *op.QKVState) []op.KV {
	n := b.K.Out()
	kv := make([]op.KV, len(p.Starts)-1)
	for s := range kv {
		lo, hi := int(p.Starts[s])*n, int(p.Starts[s+1])*n
		kv[s] = op.KV{K: st.K[lo:hi], V: st.V[lo:hi]}
	}
	return kv
}

// backward turns dx, which holds the gradient of the block's output, into that of its input in place, and
// adds the slots' gradients. With needDx false the input's gradient is not computed and dx is spoilt.
func (b *Block) backward(p *op.Pass, st *blockState, dx []float32, needDx bool) {
	attnTrains := trains(b.Q, b.K, b.V)
	needMid := needDx || attnTrains || trains(b.O)
	op.MLPBackward(p, &b.mlp, &st.mlp, dx, st.mid, needMid)
	if !needMid {
		return
	}
	mark := p.Arena.Mark()
	defer p.Arena.Release(mark)
	if !needDx && !attnTrains {
		op.ProjectBackward(p, &b.O.op, nil, dx, st.att, st.uo)
		return
	}
	datt := p.Floats(len(st.att))
	op.ProjectBackward(p, &b.O.op, datt, dx, st.att, st.uo)
	dq, dk, dv := p.Floats(len(st.qkv.Q)), p.Floats(len(st.qkv.K)), p.Floats(len(st.qkv.V))
	op.AttentionBackward(p, &b.attn, dq, dk, dv, datt, st.att, st.lse, st.qkv.Q, st.qkv.K, st.qkv.V)
	if !needDx {
		dx = nil
	}
	op.QKVBackward(p, &b.qkv, &st.qkv, dx, st.x, dq, dk, dv)
}

func trains(ls ...*Linear) bool {
	for _, l := range ls {
		if len(l.params) > 0 {
			return true
		}
	}
	return false
}

// Extend computes out [T,D] from x for sequences whose earlier keys and values are in caches, one per sequence of
// the pass, and appends this pass's to them. layer is the block's number. out and x must not overlap.
func (b *Block) Extend(p *op.Pass, layer int, caches []*Cache, out, x []float32) {
	mark := p.Arena.Mark()
	defer p.Arena.Release(mark)
	mid := p.Floats(len(x))
	qkv := op.QKVForward(p, &b.qkv, x)
	own := b.ownKV(p, &qkv)
	kv := make([]op.KV, len(caches))
	for s, c := range caches {
		kv[s] = c.append(layer, own[s])
	}
	att := p.Floats(len(qkv.Q))
	op.AttentionForward(p, &b.attn, att, nil, qkv.Q, kv)
	op.ProjectForward(p, &b.O.op, mid, x, att)
	op.MLPForward(p, &b.mlp, out, mid)
}

// Eval computes out [T,D] from x for sequences that begin in this pass, keeping nothing.
func (b *Block) Eval(p *op.Pass, out, x []float32) {
	mark := p.Arena.Mark()
	b.forward(p, out, x)
	p.Arena.Release(mark)
}

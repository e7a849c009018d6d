package op

import "ft/internal/kernels"

// AttentionState is what AttentionBackward needs.
type AttentionState struct {
	q, k, v, out, lse []float32
}

func (a *Attention) Room(p *Pass) AttentionState {
	n, m := p.T*a.Heads*a.HeadDim, p.T*a.KVHeads*a.HeadDim
	return AttentionState{p.Floats(n), p.Floats(m), p.Floats(m), p.Floats(n), p.Floats(p.T * a.Heads)}
}

func (r *Rope) rotate(p *Pass, x []float32, heads, hd int, inverse bool) {
	last := int32(0)
	for _, v := range p.Pos {
		last = max(last, v)
	}
	cos, sin := r.Tables(int(last) + 1)
	w := heads * hd
	parallelRows(p.T, func(lo, hi int) {
		kernels.RoPE(x[lo*w:hi*w], hi-lo, heads, hd, w, p.Pos[lo:hi], cos, sin, inverse)
	})
}

func Attend(p *Pass, a *Attention, rope *Rope, st *AttentionState, out kernels.Act, q, k, v []float32) {
	rope.rotate(p, q, a.Heads, a.HeadDim, false)
	rope.rotate(p, k, a.KVHeads, a.HeadDim, false)
	copy(st.q, q)
	copy(st.k, k)
	copy(st.v, v)
	n := a.KVHeads * a.HeadDim
	kv := make([]KV, len(p.Starts)-1)
	for s := range kv {
		lo, hi := int(p.Starts[s])*n, int(p.Starts[s+1])*n
		kv[s] = KV{K: k[lo:hi], V: v[lo:hi]}
	}
	AttentionForward(p, a, st.out, st.lse, q, kv)
	kernels.Rounded(out, st.out)
}

func AttendBack(p *Pass, a *Attention, rope *Rope, st *AttentionState, dq, dk, dv kernels.Act, dout []float32) {
	fq, fk, fv := p.Floats(len(st.q)), p.Floats(len(st.k)), p.Floats(len(st.v))
	AttentionBackward(p, a, fq, fk, fv, dout, st.out, st.lse, st.q, st.k, st.v)
	rope.rotate(p, fq, a.Heads, a.HeadDim, true)
	rope.rotate(p, fk, a.KVHeads, a.HeadDim, true)
	kernels.Rounded(dq, fq)
	kernels.Rounded(dk, fk)
	kernels.Rounded(dv, fv)
}

func AttendCached(p *Pass, a *Attention, out kernels.Act, q []float32, kv []KV) {
	o := p.Floats(len(q))
	AttentionForward(p, a, o, nil, q, kv)
	kernels.Rounded(out, o)
}

func (a *Attention) Rotate(p *Pass, rope *Rope, q, k []float32) {
	rope.rotate(p, q, a.Heads, a.HeadDim, false)
	rope.rotate(p, k, a.KVHeads, a.HeadDim, false)
}

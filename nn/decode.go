package nn

import "ft/internal/op"

// Decode runs one token of each of d's sequences through all blocks and returns the residual stream [T,D] before the final
// norm, in d's arena. caches are the sequences', whose lengths are d.Pos.
func (s *Stack) Decode(d *op.Decoder, ids []int32, caches []*Cache) []float32 {
	if s.stale {
		s.derive()
	}
	x := d.Arena.Floats(d.T * s.Embed.op.W.Cols)
	op.EmbedForward(d.Arena, &s.Embed.op, x, ids)
	s.place(d.Arena, x, d.Pos)
	for _, c := range caches {
		c.reserve(1)
	}
	for i, b := range s.Blocks {
		d.KV = d.KV[:0]
		for _, c := range caches {
			d.KV = append(d.KV, c.layer(i))
		}
		d.Block(&b.qkv, &b.attn, b.rope, &b.out, &b.mlp, x)
	}
	for _, c := range caches {
		c.Advance(1)
	}
	clear(d.KV) // hold on to nobody's memory
	return x
}

// DecodeLogits calls f with the logits [V] of every row of Decode's result, perhaps in parallel (see op.HeadLogits).
func (s *Stack) DecodeLogits(d *op.Decoder, x []float32, f func(i int, logits []float32)) {
	d.Logits(s.head(), x, f)
}

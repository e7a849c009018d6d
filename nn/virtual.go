package nn

import "ft/internal/op"

// SetPrompt puts the rows of p [n,D] in front of every sequence, as the embeddings of n virtual tokens (Lester et al. 2021,
// arXiv:2104.08691). They take positions from 0 on, the text those that follow; nothing is predicted at them. It replaces what was there.
func (s *Stack) SetPrompt(p *Param) { s.Embed.setPrompt(p) }

// SetPrefix puts n keys and values in front of every sequence's own in each block, in PEFT's layout: p is [n, 2·blocks, K, HeadDim], with
// block i's keys at 2i and its values at 2i+1 (Li and Liang 2021, arXiv:2101.00190). Keys are used as they are, without
// RoPE. The text's positions begin at n. It replaces what was there.
func (s *Stack) SetPrefix(p *Param) {
	s.prefix = p
	stride := p.Size() / p.Shape[0]
	width := stride / (2 * len(s.Blocks))
	for i, b := range s.Blocks {
		k, v := 2*i*width, (2*i+1)*width
		x := &op.Prefix{Rows: p.Shape[0], Stride: stride, K: p.Data[k:], V: p.Data[v:]}
		if p.Grad != nil {
			x.DK, x.DV = p.Grad[k:], p.Grad[v:]
		}
		b.attn.Prefix = x
	}
}

// Prompt is the number of virtual tokens in front of every sequence, whose rows are among those of a pass: tokens Virtual(0) to
// Virtual(n-1) begin each of its sequences.
func (s *Stack) Prompt() int { return s.Embed.prompt() }

// Prefix is the number of positions in front of every sequence that are keys and values alone.
func (s *Stack) Prefix() int {
	if s.prefix == nil {
		return 0
	}
	return s.prefix.Shape[0]
}

// Virtual is the id that stands for row i of the prompt among a pass's tokens.
func Virtual(i int) int32 { return op.Virtual(i) }

// clearPrefix takes the prefix away until the returned function puts it back.
func (s *Stack) clearPrefix() (restore func()) {
	prefix := s.prefix
	s.prefix = nil
	for _, b := range s.Blocks {
		b.attn.Prefix = nil
	}
	return func() {
		if prefix != nil {
			s.SetPrefix(prefix)
		}
	}
}

// Begin gives empty caches the prefix, if there is one: they begin with it, and so have its length.
func (s *Stack) Begin(caches []*Cache) {
	n := s.Prefix()
	if n == 0 {
		return
	}
	derived := false
	for _, c := range caches {
		if c.n > 0 {
			continue
		}
		if !derived {
			s.derive()
			derived = true
		}
		for i, b := range s.Blocks {
			c.store(i, b.attn.Prefix)
		}
		c.Advance(n)
	}
}

// store puts a prefix into one block's part of an empty cache.
func (c *Cache) store(layer int, x *op.Prefix) {
	c.reserve(x.Rows)
	kv := c.layer(layer)
	for r := range x.Rows {
		c.put(&kv, r, x.K[r*x.Stride:], x.V[r*x.Stride:])
	}
}

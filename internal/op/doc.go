// Package op holds the stages of a decoder: forward and backward as plain functions. The residual stream,
// queries, keys, values, logits and all gradients that leave a block are float32; what else lies between products is a
// kernels.Act in the precision of the pass.
//
// A block is a chain of stages,
//
//	x ─ QKV (norm, projections, RoPE) ─ Attention ─ Project (+ residual) ─ MLP (norm, gate·up, down, + residual) ─ y
//
// and the model ends in Head (norm, logits at labelled positions, cross-entropy). Norms may be absent there, and present behind
// queries and keys and before a residual connection; a nil Norm is none. Stages know nothing of the
// graph above them and nothing of methods: a method's part in a stage is data in a slot of its Linear.
// Shapes in comments: T packed tokens, D model width, F MLP width, H heads, K key/value heads, V vocabulary, R rank.
package op

// Package ia3 is (IA)³, infused adapter by inhibiting and amplifying inner activations (Liu et al. 2022, arXiv:2205.05638, §3.3): it
// trains one factor for each feature of some layers and nothing else. With g the layer's vector it computes
//
//	y = g⊙(x·Wᵀ + b)      of an ordinary target, such as keys and values; g is [out]
//	y = (g⊙x)·Wᵀ + b      of a feedforward target; g is [in]
//
// Vectors start at one, so a fresh adapter changes nothing; merged, they scale rows or columns of W (and b), and cost nothing. As in
// Hugging Face PEFT 0.21, whose files and defaults these are, an ordinary target's bias is scaled too.
package ia3

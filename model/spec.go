// Package model says what a decoder is: a Spec of what varies between families, the Family that reads it from a
// file's metadata, and the Model built from a Spec and a source of weights. There is no arithmetic of a
// family and nothing of a method here: methods fill the slots of the Linears.
package model

import "fmt"

// Spec is everything that varies between decoders of the families that ft knows.
type Spec struct {
	ModelType string // Hugging Face's model_type
	Vocab     int    // tokens
	Dim       int    // width of the residual stream, D
	Layers    int
	Heads     int // query heads, H
	KVHeads   int // key/value heads, K
	HeadDim   int
	FF        int // width of the MLP, F
	Eps       float64
	Rope      Rope
	Tied      bool // the head is the embedding
	AttnBias  bool // biases on q, k, v and o
	MLPBias   bool // biases on gate, up and down
	Context   int  // positions the model was made for
	BOS       int32
	EOS       []int32 // ids that end a text; empty if the file names none
}

// NoToken marks a special token that a model does not have.
const NoToken int32 = -1

// check finds what would make arithmetic impossible, before any allocation by these numbers.
func (s *Spec) check() error {
	for _, f := range []struct {
		name string
		v    int
	}{
		{"vocab_size", s.Vocab}, {"hidden_size", s.Dim}, {"num_hidden_layers", s.Layers}, {"num_attention_heads", s.Heads},
		{"num_key_value_heads", s.KVHeads}, {"head_dim", s.HeadDim}, {"intermediate_size", s.FF},
	} {
		if f.v < 1 || f.v > 1<<24 {
			return fmt.Errorf("model: %s is %d, expected a positive number up to %d", f.name, f.v, 1<<24)
		}
	}
	if s.Heads%s.KVHeads != 0 {
		return fmt.Errorf("model: %d attention heads do not divide into %d key/value heads", s.Heads, s.KVHeads)
	}
	if s.HeadDim%2 != 0 {
		return fmt.Errorf("model: head_dim is %d, rotary embeddings need an even number", s.HeadDim)
	}
	if !(s.Eps > 0 && s.Eps < 1) {
		return fmt.Errorf("model: rms_norm_eps is %g, expected a small positive number", s.Eps)
	}
	return s.Rope.check()
}

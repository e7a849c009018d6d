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
	QKVBias   bool // biases on q, k and v alone
	MLPBias   bool // biases on gate, up and down
	Context   int  // positions the model was made for
	BOS       int32
	EOS       []int32 // ids that end a text; empty if the file names none

	Act       Activation // of the MLP
	LayerNorm bool       // norms subtract the mean and have a bias; otherwise they are RMS norms
	NormPlus1 bool       // norms multiply with one more than their weight
	WideQK    bool       // norms of queries and keys go over all heads, not over each
	LocalRope *Rope      // of layers that say so
	Each      []Layer    // what differs from layer to layer; nil: nothing does

	AttnScale     float64 // of scores; 0 stands for 1/√HeadDim
	AttnCap       float64 // soft cap of scores; 0: none
	LogitCap      float64 // soft cap of logits; 0: none
	LogitDivisor  float64 // of logits; 0 stands for 1
	EmbedScale    float64 // of token embeddings; 0 stands for 1
	InputScale    float64 // of what enters the first block, virtual tokens included; 0 stands for 1
	ResidualScale float64 // of what attention and MLP add to the residual stream; 0 stands for 1
}

// Layer is what differs from layer to layer.
type Layer struct {
	Window int  // positions that a query sees, its own included; 0: all
	NoRope bool // queries and keys are not rotated
	Local  bool // LocalRope instead of Rope, if the model has one
}

// Activation is the function in a MLP.
type Activation uint8

const (
	SiLU     Activation = iota
	GELUTanh            // the tanh approximation
)

// activations are the names of config.json.
var activations = map[string]Activation{"silu": SiLU, "swish": SiLU, "gelu_pytorch_tanh": GELUTanh, "gelu_new": GELUTanh}

func (a Activation) String() string { return [...]string{"silu", "gelu_pytorch_tanh"}[a] }

// layer is layer i.
func (s *Spec) layer(i int) Layer {
	if s.Each == nil {
		return Layer{}
	}
	return s.Each[i]
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
	if s.Each != nil && len(s.Each) != s.Layers {
		return fmt.Errorf("model: the configuration describes %d layers, num_hidden_layers is %d", len(s.Each), s.Layers)
	}
	if !(s.Eps > 0 && s.Eps < 1) {
		return fmt.Errorf("model: rms_norm_eps is %g, expected a small positive number", s.Eps)
	}
	for name, v := range map[string]float64{
		"attention scale": s.AttnScale, "attention soft cap": s.AttnCap, "logit soft cap": s.LogitCap, "logits_scaling": s.LogitDivisor,
		"embedding multiplier": s.EmbedScale, "input multiplier": s.InputScale, "residual_multiplier": s.ResidualScale,
	} {
		if !(v >= 0 && v < 1e6) {
			return fmt.Errorf("model: %s is %g, expected a positive number", name, v)
		}
	}
	return s.checkRope()
}

// checkRope finds what is wrong with the rotary embeddings of a family that has them.
func (s *Spec) checkRope() error {
	if s.Rope.Kind == NoRope {
		return nil
	}
	if s.HeadDim%2 != 0 {
		return fmt.Errorf("model: head_dim is %d, rotary embeddings need an even number", s.HeadDim)
	}
	for _, r := range []*Rope{&s.Rope, s.LocalRope} {
		if r == nil {
			continue
		}
		if err := r.check(); err != nil {
			return err
		}
		if r.Divisors != nil && len(r.Divisors) != s.HeadDim/2 {
			return fmt.Errorf("model: %d rotary divisors, expected %d", len(r.Divisors), s.HeadDim/2)
		}
		if r.Kind == "longrope" && len(r.Short) != s.HeadDim/2 {
			return fmt.Errorf("model: short_factor has %d numbers, expected %d", len(r.Short), s.HeadDim/2)
		}
	}
	return nil
}

package peft

import (
	"fmt"

	"ft/internal/quant"
	"ft/nn"
)

// Host is a base model as methods see it: its layers, under their Hugging Face module paths, with the slots that methods fill.
type Host interface {
	// Linears are all linear layers in the order of the forward pass, the output head included.
	Linears() []*nn.Linear
	// Stack is the whole decoder, for methods that change more than linear layers.
	Stack() *nn.Stack
	// ModelType is the family's name in Hugging Face's config.json, such as "llama".
	ModelType() string
	// DefaultTargets are the module names that PEFT changes in this family when an adapter of a kind (lora, vera, adalora, ia3) names
	// none, nil where PEFT has none; for "ia3_feedforward", those of ia3 whose input is scaled.
	DefaultTargets(kind string) []string
}

// Method puts a fresh adapter on a base model. What a fresh adapter holds depends on the method's settings,
// its seed and the module paths, and on nothing else.
type Method interface {
	Attach(h Host) (Adapter, error)
}

// Adapter is a method's contribution to one base model: the parameters it trains and what they mean.
type Adapter interface {
	// Params are the trainable parameters, always in the same order.
	Params() []*nn.Param
	// Targets are the paths of the modules that the adapter changes, in the order of the host's layers.
	Targets() []string
	// Merge adds the adapter's change to w [out,in], the base's tensor of the given Hugging Face name in float32, and
	// reports whether the adapter changes that tensor. Vectors (biases, norms) are [out,1]. It takes one tensor at
	// a time, and not the model, because a merge of a large base must never hold all of it in float32.
	Merge(tensor string, w []float32, out, in int) (bool, error)
	// State is what Save writes. Tensors that are saved as they are trained are the live ones of Params. A Standalone has none, which is
	// an error.
	State() (State, error)
}

// Standalone is an adapter whose outcome is a whole model, because PEFT has no format for what it trains, or because that is most
// of the model. It is saved by merging it into its base.
type Standalone interface {
	Adapter
	// WeightType is the number type in which the model's matrices are trained and written.
	WeightType() quant.Type
	// CopyFrom sets the parameters to the values of another model of the same shape, such as one that was saved.
	CopyFrom(h Host) error
}

// State is an adapter in the terms of its directory.
type State struct {
	Type   string         // peft_type, such as "LORA"
	Config map[string]any // the method's keys of adapter_config.json
	Params []*nn.Param    // the tensors of adapter_model.safetensors
}

// Sized is an error unless a tensor that Merge is given, w [out,in], has the size that the adapter was made for.
func Sized(w []float32, out, in, wantOut, wantIn int) error {
	if out != wantOut || in != wantIn || len(w) != out*in {
		return fmt.Errorf("it is [%d,%d] with %d values, the adapter was made for [%d,%d]", out, in, len(w), wantOut, wantIn)
	}
	return nil
}

package model

import (
	"regexp"
	"slices"
	"strings"
)

// Metadata is what a Family reads of a GGUF file's key/value part. The accessors return an error that names the key when
// the value has another type.
type Metadata interface {
	Has(key string) bool
	String(key string) (string, error)
	Uint(key string) (uint64, error)
	Float(key string) (float64, error)
}

// KV is one GGUF key and its value (string, uint32, float32 or bool).
type KV struct {
	Key   string
	Value any
}

// Family is one model architecture: how its Spec is read and written, and what its tensors are called. A family file
// holds tables and field names, no arithmetic.
type Family struct {
	ModelType      string   // Hugging Face's model_type
	Aliases        []string // other model_types whose text model this is
	Names          Names    // of its modules
	Transposed     []string // modules whose weights Hugging Face stores [in,out]
	Arch           string   // GGUF's general.architecture
	DefaultTargets Targets  // of methods, where an adapter names none

	// FromConfig reads a config.json. It refuses by name every option that ft does not compute.
	FromConfig func(config []byte) (Spec, error)
	// FromGGUF reads a GGUF file's metadata.
	FromGGUF func(md Metadata) (Spec, error)
	// ToConfig writes a config.json that transformers reads.
	ToConfig func(s *Spec) ([]byte, error)
	// ToGGUF gives the architecture's keys for a GGUF file.
	ToGGUF func(s *Spec) ([]KV, error)

	// Interleaved are the Hugging Face modules whose rows GGUF stores in llama.cpp's rotary order.
	Interleaved []string
	// GGUFPlus1 tells that GGUF stores the norms' weights with the one that is added to them.
	GGUFPlus1 bool
}

// Targets are the modules that Hugging Face PEFT 0.21 changes in a family when an adapter names none (peft/utils/constants.py). nil
// stands for a family that PEFT has no entry for: an adapter must name its modules then.
type Targets struct {
	LoRA           []string // and VeRA
	AdaLoRA        []string
	IA3            []string
	IA3FeedForward []string // those of IA3 whose input is scaled, not their output
}

// Of are the modules for a method of a kind: lora, vera, adalora, ia3; or "ia3_feedforward", a part of those of ia3.
func (t *Targets) Of(kind string) []string {
	switch kind {
	case "lora", "vera":
		return t.LoRA
	case "adalora":
		return t.AdaLoRA
	case "ia3":
		return t.IA3
	case "ia3_feedforward":
		return t.IA3FeedForward
	}
	return nil
}

// Is reports whether a config.json with this model_type describes a model of the family.
func (f *Family) Is(modelType string) bool {
	return f.ModelType == modelType || slices.Contains(f.Aliases, modelType)
}

var blockNumber = regexp.MustCompile(`\.(\d+)\.`)

// GGUFName is the GGUF name of a Hugging Face tensor name.
func (f *Family) GGUFName(hf string) (string, bool) {
	return f.rename(hf, 1, 0)
}

// HFName is the Hugging Face name of a GGUF tensor name.
func (f *Family) HFName(gguf string) (string, bool) {
	return f.rename(gguf, 0, 1)
}

func (f *Family) rename(name string, from, to int) (string, bool) {
	pattern, i := name, ""
	if m := blockNumber.FindStringSubmatchIndex(name); m != nil {
		i = name[m[2]:m[3]]
		pattern = name[:m[2]] + "{i}" + name[m[3]:]
	}
	dot := strings.LastIndexByte(pattern, '.')
	if dot < 0 || pattern[dot:] != ".weight" && pattern[dot:] != ".bias" {
		return "", false
	}
	for _, pair := range f.Names.ggufModules() {
		if pair[from] == pattern[:dot] && pair[to] != "" {
			return strings.ReplaceAll(pair[to], "{i}", i) + pattern[dot:], true
		}
	}
	return "", false
}

// IsTransposed reports whether Hugging Face's files have this tensor [in,out]. GGUF has it [out,in] like all others.
func (f *Family) IsTransposed(hf string) bool {
	for _, m := range f.Transposed {
		if strings.HasSuffix(hf, m+".weight") {
			return true
		}
	}
	return false
}

// IsInterleaved reports whether GGUF stores the rows of this Hugging Face tensor in llama.cpp's rotary order.
func (f *Family) IsInterleaved(hf string) bool {
	for _, m := range f.Interleaved {
		if strings.HasSuffix(hf, m+".weight") || strings.HasSuffix(hf, m+".bias") {
			return true
		}
	}
	return false
}

// GGUFAdds is what GGUF's norms have more than those of Hugging Face: 1 where these multiply with one more than their weight.
func (f *Family) GGUFAdds(hf string) float32 {
	if f.GGUFPlus1 && strings.HasSuffix(hf, "norm.weight") {
		return 1
	}
	return 0
}

// RotaryRows gives, for each row of a query or key projection in Hugging Face's order (each head's two rotary
// halves one after the other), the row where llama.cpp stores it (the halves interleaved).
func RotaryRows(rows, headDim int) []int32 {
	perm := make([]int32, rows)
	half := headDim / 2
	for r := range perm {
		head, i := r/headDim, r%headDim
		perm[r] = int32(head*headDim + i%half*2 + i/half)
	}
	return perm
}

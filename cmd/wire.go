package cmd

import (
	"fmt"
	"slices"
	"strings"

	"ft/adalora"
	"ft/full"
	"ft/ia3"
	"ft/lora"
	"ft/model/family"
	"ft/peft"
	"ft/prompttuning"
	"ft/vera"
)

// The tables of everything ft supports. A new method is one line here; families have their table in model/family.

// families are the model architectures.
var families = family.All

// method is one way to fine-tune.
type method struct {
	kind     string     // method.kind of a config
	peftType string     // peft_type of an adapter directory; empty for methods that make a whole model
	config   func() any // a pointer to the method's own settings at their defaults
	// fresh makes the method from settings that config gave; seed keys its random start.
	fresh func(config any, seed uint64) peft.Method
	// load puts a saved adapter on a base; nil for methods that make a whole model.
	load loader
}

type loader func(h peft.Host, saved *peft.Saved) (peft.Adapter, error)

// kind is a method whose settings are a C.
func kind[C any](name, peftType string, defaults func() C, fresh func(C, uint64) peft.Method, load loader) method {
	return method{
		kind: name, peftType: peftType, load: load,
		config: func() any { c := defaults(); return &c },
		fresh:  func(config any, seed uint64) peft.Method { return fresh(*config.(*C), seed) },
	}
}

// methods are the ways to fine-tune.
var methods = []method{
	kind("lora", "LORA", lora.Default, lora.New, lora.Load),
	kind("dora", "LORA", lora.DefaultDoRA, lora.New, lora.Load),
	kind("pissa", "LORA", lora.DefaultPiSSA, lora.New, lora.Load),
	kind("adalora", "ADALORA", adalora.Default, adalora.New, adalora.Load),
	kind("vera", "VERA", vera.Default, vera.New, vera.Load),
	kind("ia3", "IA3", ia3.Default, ia3.New, ia3.Load),
	kind("full", "", full.DefaultFull, full.New, nil),
	kind("freeze", "", full.DefaultFreeze, full.New, nil),
	kind("bitfit", "", full.DefaultBitFit, full.New, nil),
	kind("prompt", "PROMPT_TUNING", prompttuning.DefaultPrompt, prompttuning.New, prompttuning.Load),
	kind("prefix", "PREFIX_TUNING", prompttuning.DefaultPrefix, prompttuning.New, prompttuning.Load),
	kind("p_tuning", "P_TUNING", prompttuning.DefaultPTuning, prompttuning.New, prompttuning.Load),
}

// reader is a method whose start may be made of a text.
type reader interface {
	// Tokenized is the method with the base's tokenizer.
	Tokenized(encode func(text string) []int32) peft.Method
}

// methodOf finds the method of a kind.
func methodOf(kind string) (method, error) {
	for _, m := range methods {
		if m.kind == kind {
			return m, nil
		}
	}
	return method{}, fmt.Errorf("unknown method %q (have: %s)", kind, strings.Join(methodKinds(), ", "))
}

// methodKinds are the values of method.kind.
func methodKinds() []string {
	var kinds []string
	for _, m := range methods {
		kinds = append(kinds, m.kind)
	}
	return kinds
}

// loadAdapter puts a saved adapter of any known method on a base.
func loadAdapter(h peft.Host, saved *peft.Saved) (peft.Adapter, error) {
	var types []string
	for _, m := range methods {
		if m.load == nil {
			continue
		}
		if m.peftType == saved.Type {
			return m.load(h, saved)
		}
		types = append(types, m.peftType)
	}
	return nil, fmt.Errorf("adapter %s: peft_type %q is not supported (have: %s)", saved.Dir, saved.Type, strings.Join(types, ", "))
}

// checkKind refuses a method that another verb trains.
func checkKind(kind, verb string, kinds []string) error {
	if slices.Contains(kinds, kind) {
		return nil
	}
	return usageError{fmt.Errorf("method.kind is %q; ft %s trains: %s", kind, verb, strings.Join(kinds, ", "))}
}

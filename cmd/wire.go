package cmd

import (
	"fmt"
	"slices"
	"strings"

	"ft/adalora"
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
	load func(h peft.Host, saved *peft.Saved) (peft.Adapter, error)
}

// methods are the ways to fine-tune.
var methods = []method{
	{
		kind: "lora", peftType: "LORA",
		config: func() any { c := lora.Default(); return &c },
		fresh: func(config any, seed uint64) peft.Method {
			return lora.Method{Config: *config.(*lora.Config), Seed: seed}
		},
		load: lora.Load,
	},
	{
		kind: "pissa", peftType: "LORA",
		config: func() any { c := lora.PiSSA(); return &c },
		fresh: func(config any, seed uint64) peft.Method {
			return lora.Method{Config: *config.(*lora.Config), Seed: seed}
		},
		load: lora.Load,
	},
	{
		kind: "adalora", peftType: "ADALORA",
		config: func() any { c := adalora.Default(); return &c },
		fresh: func(config any, seed uint64) peft.Method {
			return adalora.Method{Config: *config.(*adalora.Config), Seed: seed}
		},
		load: adalora.Load,
	},
	{
		kind: "vera", peftType: "VERA",
		config: func() any { c := vera.Default(); return &c },
		fresh:  func(config any, _ uint64) peft.Method { return vera.Method{Config: *config.(*vera.Config)} },
		load:   vera.Load,
	},
	softPrompt("prompt", "PROMPT_TUNING", prompttuning.DefaultPrompt),
	softPrompt("prefix", "PREFIX_TUNING", prompttuning.DefaultPrefix),
	softPrompt("p_tuning", "P_TUNING", prompttuning.DefaultPTuning),
}

// softPrompt is a kind of soft prompt, whose settings are a C.
func softPrompt[C prompttuning.Config](kind, peftType string, def func() C) method {
	return method{
		kind: kind, peftType: peftType,
		config: func() any { c := def(); return &c },
		fresh: func(config any, seed uint64) peft.Method {
			return prompttuning.Method{Config: *config.(*C), Seed: seed}
		},
		load: prompttuning.Load,
	}
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

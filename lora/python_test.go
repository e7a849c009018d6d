package lora_test

import (
	"maps"
	"testing"

	"ft/internal/testkit"
	"ft/lora"
	"ft/peft/pefttest"
)

// TestPEFT asks Hugging Face PEFT itself about every variant.
func TestPEFT(t *testing.T) {
	subjects := map[string]pefttest.Subject{}
	add := func(tiny testkit.TinyLlama, variants map[string]func(*lora.Config)) {
		base := t.TempDir()
		tiny.Write(t, base)
		for name, change := range variants {
			c := lora.Default()
			c.Rank, c.Dropout = 3, 0
			change(&c)
			subjects[name] = pefttest.Subject{Method: lora.New(c, 1), Load: lora.Load, Base: base}
		}
	}
	add(testkit.TinyLlama{Seed: 2, Untied: true}, variants)
	add(testkit.TinyLlama{Seed: 2, Bias: true}, onBiases)
	if want := len(variants) + len(onBiases); len(subjects) != want {
		t.Fatalf("%d variants of %d have names of their own: %v", len(subjects), want, maps.Keys(subjects))
	}
	pefttest.PEFT(t, subjects)
}

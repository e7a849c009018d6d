package prompttuning_test

import (
	"testing"

	"ft/peft/pefttest"
	"ft/prompttuning"
)

// TestPEFT asks Hugging Face PEFT itself: it must load what ft writes, compute the same logits, and write what ft loads.
func TestPEFT(t *testing.T) {
	variants := map[string]pefttest.Subject{}
	for name, c := range kinds {
		variants[name] = pefttest.Subject{Method: prompttuning.Method{Config: c, Seed: 1, Encode: encode}, Load: prompttuning.Load, Soft: true}
	}
	pefttest.PEFT(t, variants)
}

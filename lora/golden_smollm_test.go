package lora_test

import (
	"testing"

	"ft/lora"
	"ft/peft/pefttest"
)

func TestGolden_smollm2(t *testing.T) {
	pefttest.Smol{Case: "lora", Load: lora.Load}.Run(t)
}

package prompttuning_test

import (
	"path/filepath"
	"strings"
	"testing"

	"ft/internal/testkit"
	"ft/peft"
	"ft/peft/pefttest"
	"ft/prompttuning"
)

// TestGolden_conformance compares with Hugging Face PEFT: gradients, ten steps of training, and what the tuned model says.
func TestGolden_conformance(t *testing.T) {
	pefttest.Golden{
		Methods: []string{
			"prompt_tuning", "prompt_tuning_text", "prefix_tuning", "prefix_projection", "p_tuning", "p_tuning_lstm",
		},
		Load: prompttuning.Load, Begin: begin,
	}.Run(t)
}

func TestGolden_smollm2Conformance(t *testing.T) {
	pefttest.Smol{Case: "prompt_tuning", Load: prompttuning.Load}.Run(t)
}

// begin puts a reference's first adapter on a base, together with the network that makes its prompt. An adapter without one is
// what PEFT saved.
func begin(t *testing.T, h peft.Host, init string) peft.Adapter {
	t.Helper()
	saved, err := peft.Load(init)
	if err != nil {
		t.Fatal(err)
	}
	var f struct {
		Tokens     int    `json:"num_virtual_tokens"`
		Hidden     int    `json:"encoder_hidden_size"`
		Layers     int    `json:"encoder_num_layers"`
		Encoder    string `json:"encoder_reparameterization_type"`
		Projection bool   `json:"prefix_projection"`
	}
	testkit.ReadJSON(t, filepath.Join(init, peft.ConfigFile), &f)
	var c prompttuning.Config
	switch {
	case f.Encoder != "":
		c = prompttuning.PTuning{Tokens: f.Tokens, Encoder: strings.ToLower(f.Encoder), Hidden: f.Hidden, Layers: f.Layers}
	case f.Projection:
		c = prompttuning.Prefix{Tokens: f.Tokens, Projection: true, Hidden: f.Hidden}
	default:
		a, err := prompttuning.Load(h, saved)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	a, err := prompttuning.Method{Config: c}.Attach(h)
	if err != nil {
		t.Fatal(err)
	}
	tensors := testkit.Tensors(t, filepath.Join(init, "prompt_encoder.safetensors"))
	if len(tensors) != len(a.Params()) {
		t.Errorf("%d parameters, the reference has %d", len(a.Params()), len(tensors))
	}
	for _, p := range a.Params() {
		if copy(p.Data, tensors[p.Name].Data) != p.Size() {
			t.Fatalf("%v is of another shape in the reference: %v", p, tensors[p.Name].Shape)
		}
	}
	return a
}

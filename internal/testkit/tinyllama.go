package testkit

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// TinyLlama describes a small model of the llama family with random weights, for tests from end to end. The zero
// value is a model of 2 layers, width 32, 4 query and 2 key/value heads of 8 features and MLP width 48, its head tied
// to the embedding, in float32, in one file.
type TinyLlama struct {
	Seed                                     uint64
	Dim, Layers, Heads, KVHeads, HeadDim, FF int
	Context                                  int
	Untied                                   bool           // the head has a weight of its own
	Bias                                     bool           // biases on all projections
	Rope                                     map[string]any // config.json's rope_scaling; nil is none
	BF16                                     bool           // weights are stored as bfloat16
	Sharded                                  bool           // two files and an index
}

// Write makes a Hugging Face directory: config.json, the weights, tokenizer.json, tokenizer_config.json and
// chat_template.jinja (ChatML). dir must exist. Weights are scaled so that logits are of the order of 1 and the
// residual stream of every layer too, so that a few steps of training show.
func (m TinyLlama) Write(t testing.TB, dir string) {
	t.Helper()
	m = m.complete()
	tok := newTokenizer()
	put(t, filepath.Join(dir, "config.json"), m.config(tok))
	put(t, filepath.Join(dir, "tokenizer.json"), tok.file())
	put(t, filepath.Join(dir, "tokenizer_config.json"), tok.config(m.Context))
	if err := os.WriteFile(filepath.Join(dir, "chat_template.jinja"), []byte(chatTemplate), 0o666); err != nil {
		t.Fatal(err)
	}
	tensors := m.weights(len(tok.vocab))
	if !m.Sharded {
		WriteTensors(t, filepath.Join(dir, "model.safetensors"), tensors, m.BF16)
		return
	}
	half := len(tensors) / 2
	index := map[string]string{}
	for i, part := range [][]Tensor{tensors[:half], tensors[half:]} {
		file := fmt.Sprintf("model-%05d-of-00002.safetensors", i+1)
		WriteTensors(t, filepath.Join(dir, file), part, m.BF16)
		for _, x := range part {
			index[x.Name] = file
		}
	}
	put(t, filepath.Join(dir, "model.safetensors.index.json"), map[string]any{"metadata": map[string]any{}, "weight_map": index})
}

// complete fills in the sizes that are zero.
func (m TinyLlama) complete() TinyLlama {
	for _, f := range []struct {
		v    *int
		size int
	}{{&m.Dim, 32}, {&m.Layers, 2}, {&m.Heads, 4}, {&m.KVHeads, 2}, {&m.HeadDim, 8}, {&m.FF, 48}, {&m.Context, 512}} {
		if *f.v == 0 {
			*f.v = f.size
		}
	}
	return m
}

func (m TinyLlama) config(tok *tokenizer) map[string]any {
	c := map[string]any{
		"architectures": []string{"LlamaForCausalLM"}, "model_type": "llama", "vocab_size": len(tok.vocab),
		"hidden_size": m.Dim, "num_hidden_layers": m.Layers, "num_attention_heads": m.Heads, "num_key_value_heads": m.KVHeads,
		"head_dim": m.HeadDim, "intermediate_size": m.FF, "max_position_embeddings": m.Context, "hidden_act": "silu",
		"rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": !m.Untied, "attention_bias": m.Bias, "mlp_bias": m.Bias,
		"bos_token_id": tok.vocab[startToken], "eos_token_id": tok.vocab[endToken], "torch_dtype": "float32",
	}
	if m.BF16 {
		c["torch_dtype"] = "bfloat16"
	}
	if m.Rope != nil {
		c["rope_scaling"] = m.Rope
	}
	return c
}

// weights draws all tensors, in the order of the model.
func (m TinyLlama) weights(vocab int) []Tensor {
	r := rand.New(rand.NewPCG(m.Seed, 0x7e57))
	var tensors []Tensor
	add := func(name string, mean, std float64, shape ...int) {
		n := 1
		for _, s := range shape {
			n *= s
		}
		data := make([]float32, n)
		for i := range data {
			data[i] = float32(mean + std*r.NormFloat64())
		}
		tensors = append(tensors, Tensor{name, shape, data})
	}
	linear := func(name string, gain float64, out, in int) {
		add(name+".weight", 0, gain/math.Sqrt(float64(in)), out, in)
		if m.Bias {
			add(name+".bias", 0, 0.1, out)
		}
	}
	add("model.embed_tokens.weight", 0, 1/math.Sqrt(float64(m.Dim)), vocab, m.Dim)
	q, kv := m.Heads*m.HeadDim, m.KVHeads*m.HeadDim
	for i := range m.Layers {
		at := fmt.Sprintf("model.layers.%d.", i)
		add(at+"input_layernorm.weight", 1, 0.1, m.Dim)
		linear(at+"self_attn.q_proj", 1, q, m.Dim)
		linear(at+"self_attn.k_proj", 1, kv, m.Dim)
		linear(at+"self_attn.v_proj", 1, kv, m.Dim)
		linear(at+"self_attn.o_proj", 0.5, m.Dim, q)
		add(at+"post_attention_layernorm.weight", 1, 0.1, m.Dim)
		linear(at+"mlp.gate_proj", 1, m.FF, m.Dim)
		linear(at+"mlp.up_proj", 1, m.FF, m.Dim)
		linear(at+"mlp.down_proj", 0.5, m.Dim, m.FF)
	}
	add("model.norm.weight", 2, 0.1, m.Dim) // with 1 no logit could exceed √Dim, and no answer be certain
	if m.Untied {
		add("lm_head.weight", 0, 1/math.Sqrt(float64(m.Dim)), vocab, m.Dim)
	}
	return tensors
}

// put writes v as JSON.
func put(t testing.TB, path string, v any) {
	t.Helper()
	b, err := json.MarshalIndent(v, "", "  ")
	if err == nil {
		err = os.WriteFile(path, append(b, '\n'), 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
}

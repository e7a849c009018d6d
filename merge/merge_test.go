package merge_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ft/base"
	"ft/internal/quant"
	"ft/internal/testkit"
	"ft/merge"
)

// share is how far, as a share of the largest logit, a merged model of a type may be from base and adapter on the
// tiny models: a few times what is seen, and far below what a wrong row order or a lost bias makes (above 0.3).
var share = map[quant.Type]float64{quant.F32: 1e-5, quant.F16: 2e-3, quant.BF16: 2e-2, quant.Q8_0: 8e-2}

// variants are kinds of llamas that a merge must carry over.
var variants = map[string]testkit.TinyLlama{
	"plain":   {Seed: 1},
	"biases":  {Seed: 2, Bias: true},
	"untied":  {Seed: 3, Untied: true},
	"sharded": {Seed: 4, Sharded: true, BF16: true},
	"wide":    {Seed: 5, Dim: 64, HeadDim: 32, KVHeads: 1, FF: 96, Bias: true, Untied: true},
}

// TestMerge merges every kind of llama in all four directions to all types, and asks for the logits of base and adapter.
func TestMerge(t *testing.T) {
	for name, tiny := range variants {
		dir := tinyDir(t, tiny)
		typ := quant.F32
		if tiny.BF16 {
			typ = quant.BF16
		}
		gguf := plain(t, dir, filepath.Join(t.TempDir(), "base.gguf"), typ)
		for from, path := range map[string]string{"directory": dir, "GGUF": gguf} {
			b := open(t, path)
			if diff, _ := testkit.MaxDiff(logits(t, b.Model), logits(t, open(t, dir).Model)); diff > 1e-4 {
				t.Fatalf("%s: the base differs by %g as %s", name, diff, from)
			}
			a := adapt(t, b)
			want := logits(t, b.Model)
			for _, typ := range merge.Types {
				for _, to := range []string{"merged.gguf", "merged"} {
					if to == "merged" && typ == quant.Q8_0 {
						continue
					}
					t.Run(strings.Join([]string{name, from, to, typ.String()}, "/"), func(t *testing.T) {
						o := merge.Options{Base: b, Adapter: a, Out: filepath.Join(t.TempDir(), to), Type: typ}
						check(t, o, want, len(a.Targets()))
					})
				}
			}
		}
	}
}

// check writes a merge, proves it, and compares the result with the logits of base and adapter.
func check(t *testing.T, o merge.Options, want []float32, targets int) *base.Base {
	t.Helper()
	if err := merge.Write(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	only(t, filepath.Dir(o.Out), filepath.Base(o.Out))
	p, err := merge.Prove(t.Context(), o, families, prompts)
	if err != nil {
		t.Fatal(err)
	}
	only(t, filepath.Dir(o.Out), filepath.Base(o.Out))
	if p.Targets != targets || p.Changed != targets || p.Positions != len(prompts[0])+len(prompts[1]) || p.Elements == 0 {
		t.Errorf("proof %+v, expected %d targets", p, targets)
	}
	out := open(t, o.Out)
	got := logits(t, out.Model)
	testkit.Near(t, "logits", got, want, share[o.Type], 0)
	if diff, _ := testkit.MaxDiff(got, want); diff > p.Bound || p.Bound > 3*share[o.Type]*p.MaxLogit+1e-4*p.MaxLogit {
		t.Errorf("difference %g, the proof's bound is %g for logits up to %g", diff, p.Bound, p.MaxLogit)
	}
	if diff, size := testkit.MaxDiff(logits(t, out.Model), baseLogits(t, o.Base)); diff < 0.05*size {
		t.Errorf("the adapter changes logits of %g by %g only: this test tells nothing", size, diff)
	}
	return out
}

func baseLogits(t *testing.T, b *base.Base) (out []float32) {
	t.Helper()
	b.Model.WithoutSlots(func() error {
		out = logits(t, b.Model)
		return nil
	})
	return out
}

// TestMerge_rowOrder asks for llama.cpp's order of rows in GGUF and Hugging Face's in directories, each given by its
// own rule here: a head's rows are two halves there, and their pairs side by side in GGUF.
func TestMerge_rowOrder(t *testing.T) {
	const head = 8
	dir := tinyDir(t, testkit.TinyLlama{Seed: 2, Bias: true})
	b := open(t, dir)
	at := t.TempDir()
	gguf := open(t, plain(t, dir, filepath.Join(at, "a.gguf"), quant.F32))
	back := open(t, plain(t, gguf.Path, filepath.Join(at, "back"), quant.F32))
	for hf, name := range map[string]string{
		"self_attn.q_proj.weight": "attn_q.weight", "self_attn.k_proj.bias": "attn_k.bias",
		"self_attn.v_proj.weight": "attn_v.weight", "mlp.up_proj.bias": "ffn_up.bias",
	} {
		ours := tensor(t, b, "model.layers.1."+hf)
		theirs := tensor(t, gguf, "blk.1."+name)
		if !slices.Equal(tensor(t, back, "model.layers.1."+hf), ours) {
			t.Errorf("%s is another one after a way through GGUF", hf)
		}
		cols := 1
		if strings.HasSuffix(hf, "weight") {
			cols = 32
		}
		turned := strings.HasPrefix(name, "attn_q") || strings.HasPrefix(name, "attn_k")
		for r := range len(ours) / cols {
			to := r
			if i := r % head; turned && i < head/2 {
				to = r - i + 2*i
			} else if turned {
				to = r - i + 2*(i-head/2) + 1
			}
			if !slices.Equal(ours[r*cols:(r+1)*cols], theirs[to*cols:(to+1)*cols]) {
				t.Fatalf("%s: row %d is not row %d of %s", hf, r, to, name)
			}
		}
	}
}

// TestMerge_values: every value of a float32 merge is the base's plus scale·B·A, computed here in float64, and other
// tensors are bit for bit the base's.
func TestMerge_values(t *testing.T) {
	b := open(t, tinyDir(t, testkit.TinyLlama{Seed: 1}))
	a := adapt(t, b, "q_proj", "down_proj")
	out := filepath.Join(t.TempDir(), "merged")
	if err := merge.Write(t.Context(), merge.Options{Base: b, Adapter: a, Out: out, Type: quant.F32}); err != nil {
		t.Fatal(err)
	}
	merged := testkit.Tensors(t, filepath.Join(out, "model.safetensors"))
	if len(merged) != len(b.Source.Names()) {
		t.Errorf("%d tensors, the base has %d", len(merged), len(b.Source.Names()))
	}
	for _, name := range b.Source.Names() {
		want := tensor(t, b, name)
		params := a.Params()
		i := slices.Index(a.Targets(), strings.TrimSuffix(name, ".weight"))
		if i < 0 {
			if !slices.Equal(merged[name].Data, want) {
				t.Errorf("%s is not the base's", name)
			}
			continue
		}
		pa, pb := params[2*i], params[2*i+1]
		rank, in := pa.Shape[0], pa.Shape[1]
		for j := range want {
			sum := float64(want[j])
			for k := range rank {
				sum += 8.0 / 4 * float64(pb.Data[j/in*rank+k]) * float64(pa.Data[k*in+j%in])
			}
			want[j] = float32(sum)
		}
		testkit.Near(t, name, merged[name].Data, want, 1e-6, 0)
	}
}

func TestMerge_head(t *testing.T) {
	dir := tinyDir(t, testkit.TinyLlama{Seed: 3, Untied: true})
	gguf := plain(t, dir, filepath.Join(t.TempDir(), "base.gguf"), quant.F32)
	for _, path := range []string{dir, gguf} {
		b := open(t, path)
		a := adapt(t, b, "lm_head")
		want := logits(t, b.Model)
		for _, to := range []string{"m.gguf", "m"} {
			out := check(t, merge.Options{Base: b, Adapter: a, Out: filepath.Join(t.TempDir(), to), Type: quant.F32}, want, 1)
			if out.Model.Spec.Tied {
				t.Error("the merged head is tied to the embedding")
			}
		}
	}
}

// TestMerge_blocks: rows of Q8_0 are whole blocks of 32, so a tensor with others is F16; norms are float32.
func TestMerge_blocks(t *testing.T) {
	b := open(t, tinyDir(t, testkit.TinyLlama{Seed: 1})) // rows of down_proj have 48 values
	a := adapt(t, b)
	o := merge.Options{Base: b, Adapter: a, Out: filepath.Join(t.TempDir(), "m.gguf"), Type: quant.Q8_0}
	out := check(t, o, logits(t, b.Model), 14)
	for name, want := range map[string]quant.Type{
		"blk.0.ffn_down.weight": quant.F16, "blk.0.ffn_up.weight": quant.Q8_0, "token_embd.weight": quant.Q8_0, "output_norm.weight": quant.F32,
	} {
		if x, err := out.Source.Tensor(name); err != nil || x.Type != want {
			t.Errorf("%s has type %s, want %s (%v)", name, x.Type, want, err)
		}
	}
}

func TestDefaultType(t *testing.T) {
	dir := tinyDir(t, testkit.TinyLlama{Seed: 5, Dim: 64, HeadDim: 16, FF: 96, BF16: true})
	at := t.TempDir()
	for _, c := range []struct {
		path, out string
		want      quant.Type
	}{
		{dir, "m.gguf", quant.BF16},
		{dir, "m", quant.BF16},
		{plain(t, dir, filepath.Join(at, "a.gguf"), quant.Q8_0), "m.GGUF", quant.Q8_0},
		{filepath.Join(at, "a.gguf"), "m", quant.F16},
		{plain(t, dir, filepath.Join(at, "b.gguf"), quant.F32), "m", quant.F32},
	} {
		if got := merge.DefaultType(open(t, c.path), c.out); got != c.want {
			t.Errorf("%s to %s: %s, want %s", filepath.Base(c.path), c.out, got, c.want)
		}
	}
}

// TestMerge_quantised: an adapter on a quantised base is merged into that base's values, whatever the output.
func TestMerge_quantised(t *testing.T) {
	dir := tinyDir(t, testkit.TinyLlama{Seed: 5, Dim: 64, HeadDim: 16, FF: 96})
	b := open(t, plain(t, dir, filepath.Join(t.TempDir(), "q8.gguf"), quant.Q8_0))
	a := adapt(t, b)
	want := logits(t, b.Model)
	for to, typ := range map[string]quant.Type{"f32.gguf": quant.F32, "f32": quant.F32, "q8.gguf": quant.Q8_0, "bf16": quant.BF16} {
		check(t, merge.Options{Base: b, Adapter: a, Out: filepath.Join(t.TempDir(), to), Type: typ}, want, 14)
	}
}

var ropes = map[string]map[string]any{
	"llama3":  {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 16},
	"linear":  {"rope_type": "linear", "factor": 4.0},
	"yarn":    {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64},
	"dynamic": {"rope_type": "dynamic", "factor": 2.0},
}

// TestMerge_rope carries scaled rotary embeddings to where they can be said, and refuses where they cannot.
func TestMerge_rope(t *testing.T) {
	for kind, scaling := range ropes {
		t.Run(kind, func(t *testing.T) {
			at := t.TempDir()
			b := open(t, tinyDir(t, testkit.TinyLlama{Seed: 1, Context: 256, Rope: scaling}))
			a := adapt(t, b)
			want := logits(t, b.Model)
			check(t, merge.Options{Base: b, Adapter: a, Out: filepath.Join(t.TempDir(), "m"), Type: quant.F32}, want, 14)
			o := merge.Options{Base: b, Adapter: a, Out: filepath.Join(at, "m.gguf"), Type: quant.F32}
			if kind == "dynamic" {
				refused(t, o, "no dynamic rope scaling")
				only(t, at)
				return
			}
			check(t, o, want, 14)

			gguf := open(t, o.Out)
			freqs, err := gguf.Source.Tensor("rope_freqs.weight")
			if (err == nil) != (kind == "llama3") {
				t.Errorf("rope_freqs.weight: %v", err)
			} else if err == nil && freqs.Floats()[3] != 8 {
				t.Errorf("divisors %v, the slowest must be the factor 8", freqs.Floats())
			}
			again := adapt(t, gguf, "k_proj")
			want = logits(t, gguf.Model)
			check(t, merge.Options{Base: gguf, Adapter: again, Out: filepath.Join(t.TempDir(), "m.gguf"), Type: quant.F32}, want, 2)
			o = merge.Options{Base: gguf, Adapter: again, Out: filepath.Join(t.TempDir(), "m"), Type: quant.F32}
			if kind == "llama3" {
				refused(t, o, "config.json has no field for")
				only(t, filepath.Dir(o.Out))
				return
			}
			check(t, o, want, 2)
		})
	}
}

// refused asks that the merge is an error with these words.
func refused(t *testing.T, o merge.Options, words string) {
	t.Helper()
	err := merge.Write(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("error %v, want one with %q", err, words)
	}
}

// TestMerge_ropeOptions: yarn with options that GGUF lacks stays in directories.
func TestMerge_ropeOptions(t *testing.T) {
	b := open(t, tinyDir(t, testkit.TinyLlama{Seed: 1, Context: 256, Rope: map[string]any{
		"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64, "beta_fast": 16.0,
	}}))
	a := adapt(t, b)
	refused(t, merge.Options{Base: b, Adapter: a, Out: filepath.Join(t.TempDir(), "m.gguf"), Type: quant.F32}, "no field for these yarn options")
	check(t, merge.Options{Base: b, Adapter: a, Out: filepath.Join(t.TempDir(), "m"), Type: quant.F32}, logits(t, b.Model), 14)
}

// TestMerge_unused: a tensor that the model does not use, by its config, does not reach the result, where readers might.
func TestMerge_unused(t *testing.T) {
	dir := tinyDir(t, testkit.TinyLlama{Seed: 2, Bias: true, Untied: true})
	edit(t, filepath.Join(dir, "config.json"), func(c map[string]any) {
		c["attention_bias"], c["mlp_bias"], c["tie_word_embeddings"], c["num_hidden_layers"] = false, false, true, 1
	})
	b := open(t, dir)
	a := adapt(t, b)
	for _, to := range []string{"m.gguf", "m"} {
		out := check(t, merge.Options{Base: b, Adapter: a, Out: filepath.Join(t.TempDir(), to), Type: quant.F32}, logits(t, b.Model), 7)
		for _, name := range out.Source.Names() {
			if strings.HasSuffix(name, ".bias") || strings.Contains(name, ".1.") || name == "output.weight" || name == "lm_head.weight" {
				t.Errorf("%s holds %s", to, name)
			}
		}
		if s := out.Model.Spec; s.AttnBias || s.MLPBias || !s.Tied || s.Layers != 1 {
			t.Errorf("%s: spec %+v", to, s)
		}
	}
}

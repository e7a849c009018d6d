package family

import (
	"fmt"
	"math"

	"ft/model"
)

// queriesAndKeys are the modules whose rows llama.cpp has in its rotary order, in the architectures that it rotates so.
var queriesAndKeys = []string{"self_attn.q_proj", "self_attn.k_proj"}

// arch is what llama.cpp computes under the name of an architecture; what it does not is refused by its name in config.json.
type arch struct {
	name    string
	act     model.Activation
	biases  bool // on all layers that may have them
	square  bool // as many query features as the model is wide
	tied    bool // the head is always the embedding
	untied  bool // never
	freqs   bool // divisors of rotary frequencies (llama3 scaling)
	long    bool // longrope
	windows bool // sliding windows; otherwise the context of a file ends where a window would begin to matter
}

// keys gives the keys that architectures share, and more.
func (a arch) keys(s *model.Spec, more ...model.KV) ([]model.KV, error) {
	if err := a.check(s); err != nil {
		return nil, fmt.Errorf("model: llama.cpp's architecture %s has no %w: merge into a safetensors directory instead", a.name, err)
	}
	c := *s
	if !a.windows {
		for _, l := range s.Each {
			if l.Window > 0 {
				c.Context = min(c.Context, l.Window)
			}
		}
	}
	return append(c.GGUFKeys(a.name), more...), nil
}

func (a arch) check(s *model.Spec) error {
	r := &s.Rope
	yarn := r.BetaFast != 32 || r.BetaSlow != 1 || r.AttentionFactor != 0 || r.MScale != 0 || r.NoTruncate
	switch {
	case s.Act != a.act:
		return fmt.Errorf("activation %v", s.Act)
	case s.AttnBias && !a.biases:
		return fmt.Errorf("attention_bias")
	case s.MLPBias && !a.biases:
		return fmt.Errorf("mlp_bias")
	case a.square && s.Heads*s.HeadDim != s.Dim:
		return fmt.Errorf("head_dim %d with %d heads and hidden_size %d", s.HeadDim, s.Heads, s.Dim)
	case a.tied && !s.Tied:
		return fmt.Errorf("head of its own (tie_word_embeddings false)")
	case a.untied && s.Tied:
		return fmt.Errorf("head that is the embedding (tie_word_embeddings)")
	case r.Kind == "dynamic" || r.Kind == "longrope" && !a.long || r.Kind == "llama3" && !a.freqs || r.Divisors != nil && !a.freqs:
		return fmt.Errorf("%s rope scaling", r.Kind)
	case r.Kind == "yarn" && yarn:
		return fmt.Errorf("field for these yarn options")
	}
	return nil
}

// spec reads the keys that architectures share, and what more reads.
func (a arch) spec(modelType string, more func(g *model.GGUFReader, s *model.Spec)) func(model.Metadata) (model.Spec, error) {
	return func(md model.Metadata) (model.Spec, error) {
		return model.GGUFSpec(md, a.name, modelType, func(g *model.GGUFReader, s *model.Spec) {
			s.Act = a.act
			if w := g.Uint("attention.sliding_window", 0); w > 0 && !a.windows {
				s.Context = min(s.Context, w) // llama.cpp has no window here, the model that the file was made of had
			}
			if more != nil {
				more(g, s)
			}
		})
	}
}

// plain is the writing side of a family that needs no keys of its own.
func (a arch) plain(s *model.Spec) ([]model.KV, error) { return a.keys(s) }

// gemmaScale is the scale of attention that llama.cpp uses for Gemma 2 and 3: it follows from the sizes, by another rule in the largest model, which it
// knows by the number of its layers.
func gemmaScale(s *model.Spec, layersOf27B int) float64 {
	if s.Layers == layersOf27B {
		return 1 / math.Sqrt(float64(s.Dim/s.Heads))
	}
	return 1 / math.Sqrt(float64(s.HeadDim))
}

// gemmaLayers are layers of which every pattern-th sees all positions.
func gemmaLayers(layers, window, pattern int) []model.Layer {
	each := make([]model.Layer, layers)
	for i := range each {
		if local := pattern == 0 || i%pattern < pattern-1; local {
			each[i] = model.Layer{Window: window, Local: true}
		}
	}
	return each
}

// gemmaPattern is the pattern and the window of the layers; 0 layers see all if no pattern fits.
func gemmaPattern(each []model.Layer) (pattern, window int, ok bool) {
	pattern = len(each) + 1
	for i := len(each) - 1; i >= 0; i-- {
		if l := each[i]; l.Window == 0 {
			pattern = i + 1
		} else {
			window = l.Window
		}
	}
	for i, l := range each {
		want := model.Layer{}
		if i%pattern < pattern-1 {
			want = model.Layer{Window: window, Local: true}
		}
		if l != want {
			return 0, 0, false
		}
	}
	return pattern, window, true
}

// gemmaKeys are the keys of both; usual is the pattern of layers that llama.cpp assumes.
func gemmaKeys(a arch, s *model.Spec, layersOf27B, usual int) ([]model.KV, error) {
	no := func(what string, args ...any) ([]model.KV, error) {
		return nil, fmt.Errorf("model: llama.cpp's architecture %s has no "+what+": merge into a safetensors directory instead", append([]any{a.name}, args...)...)
	}
	if scale := gemmaScale(s, layersOf27B); math.Abs(s.AttnScale/scale-1) > 1e-6 {
		return no("query_pre_attn_scalar %.6g, it computes with %.6g", 1/(s.AttnScale*s.AttnScale), 1/(scale*scale))
	}
	pattern, window, ok := gemmaPattern(s.Each)
	if !ok {
		return no("layer_types %v", s.Each)
	}
	more := []model.KV{{Key: a.name + ".attention.sliding_window", Value: uint32(window)}}
	if pattern != usual && !(pattern > s.Layers && usual > s.Layers) {
		more = append(more, model.KV{Key: a.name + ".attention.sliding_window_pattern", Value: uint32(pattern)})
	}
	if s.LogitCap != 0 {
		more = append(more, model.KV{Key: a.name + ".final_logit_softcapping", Value: float32(s.LogitCap)})
	}
	return a.keys(s, more...)
}

package family

import (
	"encoding/json"
	"fmt"
	"maps"

	"ft/model"
)

// read reads a config.json into c, which holds transformers' defaults, after it has refused what ft does not compute: neutral is as for
// model.RefuseUnknown.
func read(config []byte, c any, neutral map[string]any) error {
	refused := map[string]any{"partial_rotary_factor": 1.0, "quantization_config": nil}
	maps.Copy(refused, neutral)
	if err := model.RefuseUnknown(config, refused); err != nil {
		return err
	}
	if err := json.Unmarshal(config, c); err != nil {
		return fmt.Errorf("config.json: %w", err)
	}
	return nil
}

// write makes a config.json for a class of transformers, with fields that Spec.Map lacks.
func write(s *model.Spec, class string, fields map[string]any) ([]byte, error) {
	if s.Rope.Divisors != nil {
		return nil, fmt.Errorf("model: this GGUF stores its rope scaling as divisors, which config.json has no field for: merge into a .gguf instead")
	}
	m := s.Map()
	m["architectures"] = []string{class}
	maps.Copy(m, fields)
	return json.MarshalIndent(m, "", "  ")
}

// windowed are the fields that say which layers have a window.
func windowed(s *model.Spec, fields map[string]any) map[string]any {
	types, window := make([]string, s.Layers), any(nil)
	for i := range types {
		types[i] = "full_attention"
		if s.Each == nil {
			continue
		}
		if l := s.Each[i]; l.Local || l.Window > 0 {
			types[i] = "sliding_attention"
			if l.Window > 0 {
				window = l.Window
			}
		}
	}
	fields["layer_types"], fields["sliding_window"] = types, window
	return fields
}

// uniform is one window for all layers, nil for none.
func uniform(layers int, window *int) []model.Layer {
	if window == nil || *window == 0 {
		return nil
	}
	each := make([]model.Layer, layers)
	for i := range each {
		each[i].Window = *window
	}
	return each
}

// to is a pointer to v.
func to[T any](v T) *T { return &v }

// attention and attentionFF are what PEFT targets in most families.
var (
	attention   = []string{"q_proj", "v_proj"}
	attentionFF = []string{"q_proj", "v_proj", "down_proj"}
	down        = []string{"down_proj"}
)

package peft

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"ft/weights/safetensors"
)

// common are the keys of adapter_config.json that say nothing about the arithmetic, for any method.
var common = []string{
	"auto_mapping", "base_model_name_or_path", "inference_mode", "peft_type", "peft_version", "revision", "task_type",
}

// Decode reads the config's keys into the fields of the struct that dst points to, those of embedded structs among them, by their
// json tags; fields whose key is missing or null keep their value. A key that is neither a field nor inert (without influence on what the
// adapter computes) belongs to a feature that the method does not know; it is returned as "key: value" unless it is
// null, false, 0, or empty.
func (s *Saved) Decode(dst any, inert ...string) (unknown []string, err error) {
	fields := reflect.ValueOf(dst).Elem()
	known := map[string]bool{}
	for _, field := range reflect.VisibleFields(fields.Type()) {
		if field.Anonymous {
			continue
		}
		key := field.Tag.Get("json")
		known[key] = true
		raw, ok := s.config[key]
		if !ok || isNull(raw) {
			continue
		}
		if err := json.Unmarshal(raw, fields.FieldByIndex(field.Index).Addr().Interface()); err != nil {
			return nil, fmt.Errorf("%s: %w (found %s)", key, err, brief(raw))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(s.config)) {
		if known[key] || slices.Contains(common, key) || slices.Contains(inert, key) || isUnset(s.config[key]) {
			continue
		}
		unknown = append(unknown, fmt.Sprintf("%s: %s", key, brief(s.config[key])))
	}
	return unknown, nil
}

func isNull(raw json.RawMessage) bool { return string(bytes.TrimSpace(raw)) == "null" }

// isUnset reports whether a value is one that PEFT has for "not used".
func isUnset(raw json.RawMessage) bool {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return false
	}
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case float64:
		return v == 0
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// brief is a value for a message, on one line and cut to a readable length.
func brief(raw json.RawMessage) string {
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		return string(raw)
	}
	if r := []rune(b.String()); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return b.String()
}

func stripPrefix(name string) string { return strings.TrimPrefix(name, prefix) }

// Fits reports, in one error, every tensor that is missing, not wanted or of another shape. want gives the shapes
// by name as Tensors does.
func (s *Saved) Fits(want map[string][]int) error {
	var bad []string
	for name, shape := range want {
		t, ok := s.Tensors[name]
		switch {
		case !ok:
			bad = append(bad, fmt.Sprintf("%s: missing, expected %v", name, shape))
		case !slices.Equal(t.Shape, shape):
			bad = append(bad, fmt.Sprintf("%s: expected %v, found %v", name, shape, t.Shape))
		}
	}
	for name, t := range s.Tensors {
		if _, ok := want[name]; !ok {
			bad = append(bad, fmt.Sprintf("%s: not expected, found %v", name, t.Shape))
		}
	}
	if len(bad) == 0 {
		return nil
	}
	slices.Sort(bad)
	return fmt.Errorf("%s does not fit this base; is the adapter for another one? %d tensors are wrong:\n  %s",
		TensorFile, len(bad), strings.Join(bad, "\n  "))
}

// Saved is the state as it would be read back from a directory. It shares the tensors' memory; dir names it in messages.
func (s State) Saved(dir string, m Meta) (*Saved, error) {
	saved := &Saved{Dir: dir, Type: s.Type, Meta: m, Tensors: map[string]safetensors.Floats{}, config: map[string]json.RawMessage{}}
	for key, v := range s.config(m) {
		text, err := json.Marshal(v)
		if err != nil {
			return nil, fmt.Errorf("peft: %s: %s: %w", dir, key, err)
		}
		saved.config[key] = text
	}
	for _, p := range s.Params {
		saved.Tensors[p.Name] = safetensors.Floats{Shape: p.Shape, Data: p.Data}
	}
	return saved, nil
}

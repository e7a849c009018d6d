package peft_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"ft/nn"
	"ft/peft"
	"ft/weights/safetensors"
)

// pair is a state with two small tensors that start at v.
func pair(v float32) peft.State {
	a, b := nn.NewParam("model.q_proj.lora_A.weight", 1, 2), nn.NewParam("model.q_proj.lora_B.weight", 3, 1)
	for i := range a.Data {
		a.Data[i] = v + float32(i)
	}
	for i := range b.Data {
		b.Data[i] = -v - float32(i)
	}
	return peft.State{Type: "LORA", Config: map[string]any{"r": 1, "target_modules": []string{"q_proj<>"}}, Params: []*nn.Param{a, b}}
}

func TestSave_Load(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "runs", "adapter")
	meta := peft.Meta{Template: "{{ messages }}", System: "Be brief.\n", Base: "some/base", BaseHash: "abc"}
	s := pair(0.5)
	if err := peft.Save(dir, s, meta); err != nil {
		t.Fatal(err)
	}
	got, err := peft.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got.Type != "LORA" || got.Dir != dir || got.Meta != meta {
		t.Errorf("got %+v", got)
	}
	want := map[string]safetensors.Floats{}
	for _, p := range s.Params {
		want[p.Name] = safetensors.Floats{Shape: p.Shape, Data: p.Data}
	}
	if !reflect.DeepEqual(got.Tensors, want) {
		t.Errorf("got %v, want %v", got.Tensors, want)
	}
}

// The text of the config is part of the contract: PEFT and people compare such files.
func TestSave_config(t *testing.T) {
	dir := t.TempDir()
	if err := peft.Save(dir, pair(0), peft.Meta{Base: "models/x"}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, peft.ConfigFile))
	if err != nil {
		t.Fatal(err)
	}
	want := `{
  "auto_mapping": null,
  "base_model_name_or_path": "models/x",
  "inference_mode": true,
  "peft_type": "LORA",
  "r": 1,
  "revision": null,
  "target_modules": [
    "q_proj<>"
  ],
  "task_type": "CAUSAL_LM"
}
`
	if string(text) != want {
		t.Errorf("got\n%s", text)
	}
	f, err := safetensors.Open(filepath.Join(dir, peft.TensorFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if names := f.Names(); !reflect.DeepEqual(names, []string{"base_model.model.model.q_proj.lora_A.weight", "base_model.model.model.q_proj.lora_B.weight"}) {
		t.Errorf("names %v", names)
	}
	if m := f.Metadata(); !reflect.DeepEqual(m, map[string]string{"format": "pt"}) {
		t.Errorf("metadata %v", m)
	}
}

func TestSave_again(t *testing.T) {
	dir := t.TempDir()
	note := filepath.Join(dir, "README.md")
	if err := os.WriteFile(note, []byte("mine"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, v := range []float32{1, 2} {
		if err := peft.Save(dir, pair(v), peft.Meta{}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := peft.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if v := got.Tensors["model.q_proj.lora_A.weight"].Data[0]; v != 2 {
		t.Errorf("value %v is not the second save's", v)
	}
	if text, _ := os.ReadFile(note); string(text) != "mine" {
		t.Errorf("README.md was replaced by %q", text)
	}
}

// A save that fails must leave the adapter that was there, whole, and nothing else behind.
func TestSave_failure(t *testing.T) {
	for name, spoil := range map[string]func(*peft.State){
		"while writing tensors": func(s *peft.State) { s.Params[1].Data = s.Params[1].Data[:2] },
		"while making config":   func(s *peft.State) { s.Config["r"] = func() {} },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := peft.Save(dir, pair(1), peft.Meta{System: "old"}); err != nil {
				t.Fatal(err)
			}
			before := contents(t, dir)
			s := pair(2)
			spoil(&s)
			if err := peft.Save(dir, s, peft.Meta{System: "new"}); err == nil || !strings.Contains(err.Error(), dir) {
				t.Errorf("error %v", err)
			}
			if after := contents(t, dir); !reflect.DeepEqual(before, after) {
				t.Errorf("the directory changed: %d files, now %d", len(before), len(after))
			}
		})
	}
}

func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(text)
	}
	return files
}

// write makes an adapter directory by hand. tensors may be nil.
func write(t *testing.T, config string, tensors map[string]safetensors.Floats) string {
	t.Helper()
	dir := t.TempDir()
	if config != "" {
		if err := os.WriteFile(filepath.Join(dir, peft.ConfigFile), []byte(config), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if tensors != nil {
		if err := safetensors.Save(filepath.Join(dir, peft.TensorFile), tensors, nil); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLoad_halfPrecision(t *testing.T) {
	dir := write(t, `{"peft_type": "LORA", "base_model_name_or_path": "b"}`, nil)
	values := []float32{1, -0.5, 0.25}
	w, err := safetensors.NewWriter(filepath.Join(dir, peft.TensorFile), []safetensors.Info{
		{Name: "base_model.model.a", DType: "F16", Shape: []int{3}}, {Name: "base_model.model.b", DType: "BF16", Shape: []int{3}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b"} {
		if err := w.Next("base_model.model." + name); err != nil {
			t.Fatal(err)
		}
		if err := w.WriteFloats(values); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := peft.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b"} {
		if got := s.Tensors[name].Data; !reflect.DeepEqual(got, values) {
			t.Errorf("%s: got %v", name, got)
		}
	}
	if s.Meta.Base != "b" {
		t.Errorf("base %q", s.Meta.Base)
	}
}

func TestLoad_refuses(t *testing.T) {
	one := map[string]safetensors.Floats{"base_model.model.a": {Shape: []int{1}, Data: []float32{1}}}
	twice := map[string]safetensors.Floats{"a": one["base_model.model.a"], "base_model.model.a": one["base_model.model.a"]}
	pickle := write(t, `{"peft_type": "LORA"}`, nil)
	if err := os.WriteFile(filepath.Join(pickle, "adapter_model.bin"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	meta := write(t, `{"peft_type": "LORA"}`, one)
	if err := os.WriteFile(filepath.Join(meta, peft.MetaFile), []byte("["), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, dir, want string }{
		{"no config", write(t, "", one), "no adapter_config.json"},
		{"broken config", write(t, "{", one), "adapter_config.json: "},
		{"config is a list", write(t, "[]", one), "adapter_config.json: "},
		{"no type", write(t, `{"r": 4}`, one), "peft_type is missing"},
		{"type is a number", write(t, `{"peft_type": 4}`, one), "adapter_config.json: "},
		{"no tensors", write(t, `{"peft_type": "LORA"}`, nil), "no adapter_model.safetensors"},
		{"pickle", pickle, "Python pickle"},
		{"broken meta", meta, "ft.json: "},
		{"two names for one tensor", write(t, `{"peft_type": "LORA"}`, twice), `"a" is there with and without`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := peft.Load(c.dir)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.dir) {
				t.Errorf("error %v, want one with %q and the directory", err, c.want)
			}
		})
	}
}

func TestSaved_Decode(t *testing.T) {
	dir := write(t, `{"peft_type": "X", "task_type": "CAUSAL_LM", "r": 4, "alpha": null, "odd": {}, "off": false, "zero": 0,
		"words": "", "none": [], "megatron_core": "megatron.core", "use_new": true, "list": ["a", "b"]}`, map[string]safetensors.Floats{})
	s, err := peft.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	v := struct {
		R     int     `json:"r"`
		Alpha float64 `json:"alpha"`
		B     string  `json:"b"`
	}{1, 2, "kept"}
	unknown, err := s.Decode(&v, "megatron_core")
	if err != nil || v.R != 4 || v.Alpha != 2 || v.B != "kept" {
		t.Errorf("got %+v, %v", v, err)
	}
	if want := []string{`list: ["a","b"]`, "use_new: true"}; !reflect.DeepEqual(unknown, want) {
		t.Errorf("unknown keys %q, want %q", unknown, want)
	}
	bad := struct {
		R string `json:"r"`
	}{}
	if _, err := s.Decode(&bad); err == nil || !strings.Contains(err.Error(), "r: ") || !strings.Contains(err.Error(), "found 4") {
		t.Errorf("error %v", err)
	}
}

func TestSaved_Fits(t *testing.T) {
	s := &peft.Saved{Tensors: map[string]safetensors.Floats{
		"good": {Shape: []int{1, 2}}, "wide": {Shape: []int{3, 4}}, "extra": {Shape: []int{5}},
	}}
	if err := s.Fits(map[string][]int{"good": {1, 2}, "wide": {3, 4}, "extra": {5}}); err != nil {
		t.Error(err)
	}
	err := s.Fits(map[string][]int{"good": {1, 2}, "wide": {3, 8}, "gone": {7}})
	for _, want := range []string{"3 tensors", "wide: expected [3 8], found [3 4]", "gone: missing, expected [7]", "extra: not expected, found [5]"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v lacks %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "good") {
		t.Errorf("error %v names a tensor that fits", err)
	}
}

func TestMeta_unknownKeys(t *testing.T) {
	dir := write(t, `{"peft_type": "LORA"}`, map[string]safetensors.Floats{})
	text, err := json.Marshal(map[string]any{"system": "s", "later": 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, peft.MetaFile), text, 0o666); err != nil {
		t.Fatal(err)
	}
	if s, err := peft.Load(dir); err != nil || s.Meta.System != "s" {
		t.Errorf("got %+v, %v", s, err)
	}
}

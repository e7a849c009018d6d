package merge_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"ft/internal/quant"
	"ft/internal/testkit"
	"ft/merge"
)

// edit changes a JSON file.
func edit(t testing.TB, path string, change func(map[string]any)) {
	t.Helper()
	var c map[string]any
	testkit.ReadJSON(t, path, &c)
	change(c)
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(c); err != nil {
		t.Fatal(err)
	}
	write(t, path, b.String())
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestWrite_refused: what cannot be written where it was asked for is an error, and leaves nothing behind.
func TestWrite_refused(t *testing.T) {
	dir := tinyDir(t, testkit.TinyLlama{Seed: 1})
	b := open(t, dir)
	a := adapt(t, b)
	at := t.TempDir()
	write(t, filepath.Join(at, "file.gguf"), "old")
	write(t, filepath.Join(at, "model", "config.json"), "old")
	write(t, filepath.Join(at, "thesis", "chapter.txt"), "old")
	write(t, filepath.Join(at, "dir.gguf", "x"), "old")
	for name, c := range map[string]struct {
		out   string
		typ   quant.Type
		force bool
		words string
	}{
		"Q8_0 directory":        {"new", quant.Q8_0, false, "Q8_0 exists only in .gguf files"},
		"file there":            {"file.gguf", quant.F32, false, "exists; choose another --out, or replace it with --force"},
		"directory there":       {"model", quant.F32, false, "exists; choose another --out"},
		"directory with slash":  {"model" + string(filepath.Separator), quant.F32, false, "exists; choose another --out"},
		"no parent":             {"missing/new.gguf", quant.F32, false, "missing does not exist"},
		"parent is a file":      {"file.gguf/new", quant.F32, false, "does not exist"},
		"no model to replace":   {"thesis", quant.F32, true, "no model to replace"},
		"GGUF over a directory": {"dir.gguf", quant.F32, true, "is a directory"},
		"the base":              {dir, quant.F32, true, "is the base itself"},
		"around the base":       {filepath.Dir(dir), quant.F32, true, "is the base itself, or around it"},
		"the base's weights":    {filepath.Join(dir, "model.safetensors"), quant.F32, true, "is the base itself"},
	} {
		t.Run(name, func(t *testing.T) {
			o := merge.Options{Base: b, Adapter: a, Out: c.out, Type: c.typ, Force: c.force}
			if !filepath.IsAbs(c.out) {
				o.Out = at + string(filepath.Separator) + c.out
			}
			refused(t, o, c.words)
			only(t, at, "dir.gguf", "file.gguf", "model", "thesis")
			only(t, filepath.Dir(dir), "tiny")
		})
	}
	if got := read(t, filepath.Join(at, "file.gguf")) + read(t, filepath.Join(at, "model", "config.json")); got != "oldold" {
		t.Errorf("what was there is now %q", got)
	}
}

func TestWrite_symlinkToBase(t *testing.T) {
	dir := tinyDir(t, testkit.TinyLlama{Seed: 1})
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	refused(t, merge.Options{Base: open(t, dir), Out: link, Type: quant.F32, Force: true}, "is the base itself")
	refused(t, merge.Options{Base: open(t, link), Out: dir, Type: quant.F32, Force: true}, "is the base itself")
}

// TestWrite_force replaces a model, a file and an empty directory, and leaves nothing of them.
func TestWrite_force(t *testing.T) {
	b := open(t, tinyDir(t, testkit.TinyLlama{Seed: 1}))
	a := adapt(t, b)
	want := logits(t, b.Model)
	for _, c := range []struct{ out, old string }{{"m", "m/config.json"}, {"m", "m/sub/config.json"}, {"m", "m"}, {"m.gguf", "m.gguf"}} {
		at := t.TempDir()
		write(t, filepath.Join(at, c.old), "old")
		o := merge.Options{Base: b, Adapter: a, Out: filepath.Join(at, c.out), Type: quant.F32, Force: true}
		if strings.Contains(c.old, "sub") {
			refused(t, o, "no model to replace")
			continue
		}
		check(t, o, want, 14)
		if c.out == "m" {
			only(t, o.Out, "chat_template.jinja", "config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
		}
	}
	at := t.TempDir()
	if err := os.Mkdir(filepath.Join(at, "m"), 0o777); err != nil {
		t.Fatal(err)
	}
	slash := merge.Options{Base: b, Adapter: a, Out: filepath.Join(at, "m") + string(filepath.Separator), Type: quant.F32, Force: true}
	if err := merge.Write(t.Context(), slash); err != nil {
		t.Error(err)
	}
	if _, err := merge.Prove(t.Context(), slash, families, prompts); err != nil {
		t.Error(err)
	}
	only(t, at, "m")
}

// TestWrite_failsLate: an error in the middle of the weights leaves nothing, and what was there as it was.
func TestWrite_failsLate(t *testing.T) {
	b := open(t, tinyDir(t, testkit.TinyLlama{Seed: 1}))
	a := adapt(t, b)
	last := a.Params()[len(a.Params())-1].Data
	for name, c := range map[string]struct {
		value float32
		typ   quant.Type
		words string
	}{
		"overflow": {3e6, quant.F16, "beyond F16's range; use another --type"},
		"Q8_0":     {1e9, quant.Q8_0, "beyond"},
		"NaN":      {float32(math.NaN()), quant.BF16, "base or adapter is damaged"},
		"infinite": {float32(math.Inf(1)), quant.F32, "base or adapter is damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			old := last[0]
			last[0] = c.value
			defer func() { last[0] = old }()
			for _, out := range []string{"m", "m.gguf"} {
				if out == "m" && c.typ == quant.Q8_0 {
					continue
				}
				at := t.TempDir()
				keep := filepath.Join(at, out)
				if out == "m" {
					keep = filepath.Join(keep, "config.json")
				}
				write(t, keep, "old")
				refused(t, merge.Options{Base: b, Adapter: a, Out: filepath.Join(at, out), Type: c.typ, Force: true}, c.words)
				only(t, at, out)
				if read(t, keep) != "old" {
					t.Error("what was there has changed")
				}
			}
		})
	}
}

// TestWrite_modes: others may read what was written, as far as the user's mask lets them.
func TestWrite_modes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no modes")
	}
	b := open(t, tinyDir(t, testkit.TinyLlama{Seed: 1}))
	at := t.TempDir()
	write(t, filepath.Join(at, "plain", "file"), "")
	mode := func(name string) os.FileMode {
		info, err := os.Stat(filepath.Join(at, name))
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode()
	}
	for _, out := range []string{"m", "m.gguf"} {
		if err := merge.Write(t.Context(), merge.Options{Base: b, Out: filepath.Join(at, out), Type: quant.F32}); err != nil {
			t.Fatal(err)
		}
	}
	for name, like := range map[string]string{
		"m": "plain", "m.gguf": "plain/file", "m/model.safetensors": "plain/file", "m/config.json": "plain/file", "m/tokenizer.json": "plain/file",
	} {
		if mode(name) != mode(like) {
			t.Errorf("%s has mode %v, what the system makes %v", name, mode(name), mode(like))
		}
	}
}

// until is a context that ends when it has been asked a number of times.
type until struct {
	context.Context
	left int
}

func (u *until) Err() error {
	if u.left--; u.left < 0 {
		return context.Canceled
	}
	return nil
}

// TestInterrupted: a merge that is stopped leaves nothing, a proof that is stopped leaves the result.
func TestInterrupted(t *testing.T) {
	b := open(t, tinyDir(t, testkit.TinyLlama{Seed: 1}))
	a := adapt(t, b)
	for _, name := range []string{"m", "m.gguf"} {
		at := t.TempDir()
		o := merge.Options{Base: b, Adapter: a, Out: filepath.Join(at, name), Type: quant.BF16}
		if err := merge.Write(&until{t.Context(), 7}, o); !errors.Is(err, context.Canceled) {
			t.Errorf("writing: error %v", err)
		}
		only(t, at)
		if err := merge.Write(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		for after := 0; ; after += 13 {
			_, err := merge.Prove(&until{t.Context(), after}, o, families, prompts)
			only(t, at, name)
			if err == nil {
				if tensors := len(b.Source.Names()); after < 4*tensors {
					t.Errorf("a proof over %d tensors, three bases of them and prompts asks %d times only", tensors, after)
				}
				break
			}
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("proving: error %v", err)
			}
		}
	}
}

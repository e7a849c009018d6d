package configs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ft/configs"
	"ft/lora"
	"ft/prompttuning"
)

// Every config beside this file is one that people copy: it must load, and open with the command to run it.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob("*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			c, err := configs.Load(configs.Options{File: file, Method: method})
			if err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if first, _, _ := strings.Cut(string(data), "\n"); !strings.HasPrefix(first, "# ft ") || !strings.Contains(first, "--config configs/"+file) {
				t.Errorf("begins with %q, not with the command that runs it", first)
			}
			text, err := c.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			resolved := filepath.Join(t.TempDir(), file)
			if err := os.WriteFile(resolved, text, 0o666); err != nil {
				t.Fatal(err)
			}
			again, err := configs.Load(configs.Options{File: resolved, Method: method})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c, again); diff != "" {
				t.Errorf("the resolved config is another one: %s", diff)
			}
		})
	}
}

// med.yaml says that its values are the defaults.
func TestMedIsDefault(t *testing.T) {
	got, err := configs.Load(configs.Options{File: "med.yaml", Method: method})
	if err != nil {
		t.Fatal(err)
	}
	want := configs.Default()
	own := lora.Default()
	want.Name, want.Method.Config, want.Data.Files = "med", &own, got.Data.Files
	if diff := cmp.Diff(&want, got); diff != "" {
		t.Error(diff)
	}
}

func method(kind string) (any, error) {
	if kind == "prompt" {
		c := prompttuning.DefaultPrompt()
		return &c, nil
	}
	c := lora.Default()
	return &c, nil
}

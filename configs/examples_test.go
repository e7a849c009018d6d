package configs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ft/configs"
	"ft/full"
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
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if first, _, _ := strings.Cut(string(data), "\n"); !strings.HasPrefix(first, "# ft ") || !strings.Contains(first, "--config configs/"+file) {
				t.Errorf("begins with %q, not with the command that runs it", first)
			}
			if !strings.Contains(string(data), "\ncompare:") {
				c, err := configs.Load(configs.Options{File: file, Method: method})
				if err != nil {
					t.Fatal(err)
				}
				roundTrip(t, c)
				return
			}
			entries, err := configs.LoadCompare(configs.Options{File: file, Method: method})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				roundTrip(t, e.Config)
			}
		})
	}
}

// roundTrip asks that the resolved config is the same again.
func roundTrip(t *testing.T, c *configs.Config) {
	t.Helper()
	text, err := c.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	resolved := filepath.Join(t.TempDir(), c.Name+".yaml")
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
	switch kind {
	case "lora":
		c := lora.Default()
		return &c, nil
	case "prompt":
		c := prompttuning.DefaultPrompt()
		return &c, nil
	case "full":
		c := full.DefaultFull()
		return &c, nil
	}
	return nil, fmt.Errorf("no example has method %q", kind)
}

package cmd

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ft/base"
	"ft/internal/run"
	"ft/internal/testkit"
)

// TestEndToEnd_stories walks the whole job with a real pre-trained model of 260,000 parameters, which a conformance set may hold. It has
// no chat template, so questions and answers are laid out plainly, and a tokenizer of the SentencePiece kind that puts BOS before a text.
func TestEndToEnd_stories(t *testing.T) {
	testkit.Conformance(t, "models/stories260K", func(t *testing.T, set string) {
		model := filepath.Join(set, "hf")
		b, err := base.Open(model, families)
		if err != nil {
			t.Fatal(err)
		}
		if b.Chat.Source != "" {
			t.Errorf("the model has a chat template: this walk is for one without")
		}
		targets := 7 * b.Model.Spec.Layers
		b.Close()
		dir := t.TempDir()
		t.Setenv("FT_CACHE_DIR", filepath.Join(dir, "cache"))
		testkit.WriteFacts(t, filepath.Join(dir, "facts.jsonl"))
		ft(t, 0, "lora", "--config", writeConfig(t, dir, "stories.yaml", model, 12), "--set", "train.lr=5e-3", "--set", "data.max_tokens=128")
		r, err := run.Open(filepath.Join(dir, "runs"), "")
		if err != nil {
			t.Fatal(err)
		}
		if first, last := checkRun(t, r); last > first/4 {
			t.Errorf("the loss fell from %.3f to %.3f only", first, last)
		}
		checkEval(t, dir)
		// The model has never seen the token that ends an answer, nor most bytes. The rows of such tokens in the embedding, which is also the
		// head, are all but equal, so behind the answer rounding decides; every answer has more than 8 tokens.
		for _, out := range []string{"f32.gguf", "bf16.gguf", "f32-hf", "bf16-hf"} {
			typ, _, _ := strings.Cut(strings.TrimSuffix(out, ".gguf"), "-")
			checkMerge(t, r.Dir, model, filepath.Join(dir, out), typ, targets, 8)
		}
		checkPlain(t, filepath.Join(dir, "f32.gguf"), filepath.Join(dir, "f32-hf"))
		checkTwin(t, dir, model, r.Dir)
	})
}

// checkPlain: the template of the run, none, arrived in both kinds of models, and their tokenizers are the same.
func checkPlain(t *testing.T, gguf, hf string) {
	t.Helper()
	var ids [][]int32
	for _, path := range []string{gguf, hf} {
		b, err := base.Open(path, families)
		if err != nil {
			t.Fatal(err)
		}
		if b.Chat.Source != "" {
			t.Errorf("%s has a chat template", path)
		}
		ids = append(ids, b.Tokenizer.Encode("Once upon a time, naïve Lily said:\n\t高 <s>", true))
		b.Close()
	}
	if !slices.Equal(ids[0], ids[1]) {
		t.Errorf("tokens from GGUF %v, from the directory %v", ids[0], ids[1])
	}
}

// checkTwin: the adapter, trained on a directory, answers the same on a GGUF file of the same base.
func checkTwin(t *testing.T, dir, model, runDir string) {
	t.Helper()
	twin := filepath.Join(dir, "twin.gguf")
	toGGUF(t, model, twin)
	ask := []string{"generate", "-q", "--file", filepath.Join(dir, "facts.jsonl"), "--limit", "10", "--json", "--adapter", runDir, "--base"}
	if a, b := ft(t, 0, append(ask, model)...), ft(t, 0, append(ask, twin)...); a != b {
		t.Errorf("answers on the directory:\n%s\non the GGUF file:\n%s", a, b)
	}
}

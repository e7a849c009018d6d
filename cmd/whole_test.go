package cmd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ft/base"
	"ft/full"
	"ft/internal/run"
	"ft/internal/testkit"
)

// ofFull makes a config of tiny one of full fine-tuning.
func ofFull(t *testing.T, config string) {
	t.Helper()
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	whole := strings.Replace(string(text), "{kind: lora, rank: 16, alpha: 32, dropout: 0.05}", "{kind: full}", 1)
	if err := os.WriteFile(config, []byte(whole), 0o666); err != nil {
		t.Fatal(err)
	}
}

// TestTrain_whole: the best model is what a run leaves and what it answers with, also when the last weights are worse, and the one copy of it
// is on disk.
func TestTrain_whole(t *testing.T) {
	dir, config := tiny(t, 1)
	ofFull(t, config)
	ft(t, 0, "train", "--config", config, "--set", "train.steps=30", "--set", "train.epochs=0",
		"--set", "train.lr=3", "--set", "train.schedule=linear", "--set", "train.warmup=0.9", "--set", "train.clip=0", "--set", "eval.every=0.2")
	r, err := run.Open(filepath.Join(dir, "runs"), "")
	if err != nil {
		t.Fatal(err)
	}
	var s runSummary
	log, err := os.ReadFile(r.Path(run.LogFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.readLog(log); err != nil {
		t.Fatal(err)
	}
	if s.BestStep == 0 || s.BestStep == s.Steps {
		t.Fatalf("the best of %d steps is %d: this test tells nothing", s.Steps, s.BestStep)
	}
	answers, err := os.ReadFile(r.Path(run.PredictionsFile))
	if err != nil {
		t.Fatal(err)
	}
	ft(t, 0, "eval", r.Dir, "--again", "--runs", filepath.Join(dir, "runs"))
	again, err := os.ReadFile(r.Path(run.PredictionsFile))
	if err != nil {
		t.Fatal(err)
	}
	if string(answers) != string(again) {
		t.Errorf("the run answered\n%s\nand its model answers\n%s", answers, again)
	}
	entries, err := os.ReadDir(r.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() == run.AdapterDir || strings.HasPrefix(e.Name(), ".") || e.IsDir() && e.Name() != run.ModelDir {
			t.Errorf("the run has %s", e.Name())
		}
	}
}

func TestTrainedBytes(t *testing.T) {
	dir := t.TempDir()
	testkit.TinyLlama{}.Write(t, dir)
	for weights, each := range map[string]int64{"float32": 16, "bfloat16": 18} {
		b, err := base.Open(dir, families)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		a, err := full.Full{Weights: weights}.Attach(b.Model)
		if err != nil {
			t.Fatal(err)
		}
		vectors := trainable(a) - b.Model.Size() // have no copy
		if got, want := trainedBytes(a), each*int64(b.Model.Size())+bytesPerParam*int64(vectors); got != want {
			t.Errorf("%s: %d bytes, want %d", weights, got, want)
		}
	}
}

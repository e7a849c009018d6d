package task

import (
	"context"
	"encoding/json"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// hashed is the model of testdata/golden.py: a token is a byte, and a log-likelihood is a hash of the request's tokens.
type hashed struct{ window int }

func (hashed) Encode(text string, special bool) []int32 {
	ids := make([]int32, len(text))
	for i := range len(text) {
		ids[i] = int32(text[i])
	}
	return ids
}

func (h hashed) Score(_ context.Context, requests []Request, step func(int)) ([]Likelihood, error) {
	out := make([]Likelihood, len(requests))
	for i, r := range requests {
		data, err := json.Marshal([][]int32{r.Context, r.Continuation})
		if err != nil {
			return nil, err
		}
		sum := crc32.ChecksumIEEE(data)
		out[i] = Likelihood{-float64(sum%10007) / 97, sum%3 == 0}
		step(1)
	}
	return out, nil
}

func (h hashed) model() *Model {
	return &Model{Scorer: h, Encoder: h, Prefix: 256, Window: h.window}
}

// Every task file in testdata gives the prompts, the tokens and the scores that LM Evaluation Harness gave.
func TestGolden(t *testing.T) {
	data, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden map[string]struct {
		Rows   [][][2]string
		Scores map[string]float64
	}
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob("testdata/*.yaml")
	if len(files) != len(golden) || len(files) == 0 {
		t.Fatalf("%d task files, %d in golden.json", len(files), len(golden))
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		t.Run(name, func(t *testing.T) {
			want := golden[name]
			task := prepared(t, file)
			var got [][][2]string
			for _, it := range task.items {
				var row [][2]string
				for i, c := range it.continued {
					if it.contexts == nil {
						row = append(row, [2]string{c, ""})
					} else {
						row = append(row, [2]string{it.contexts[i], c})
					}
				}
				got = append(got, row)
			}
			if diff := cmp.Diff(want.Rows, got); diff != "" {
				t.Fatal(diff)
			}
			out, err := task.Run(t.Context(), hashed{64}.model(), func(int) {})
			if err != nil {
				t.Fatal(err)
			}
			checkScores(t, task, out, want.Scores)
		})
	}
}

func prepared(t *testing.T, file string) *Task {
	t.Helper()
	d, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	task, err := d.Prepare(0)
	if err != nil {
		t.Fatal(err)
	}
	return task
}

func checkScores(t *testing.T, task *Task, out *Outcome, want map[string]float64) {
	t.Helper()
	got := task.Scores(out)
	for key, v := range want {
		name, isError := strings.CutSuffix(key, "_stderr")
		have, ok := got.Metrics[name]
		if isError {
			have, ok = got.Stderr[name]
		}
		if strings.HasPrefix(name, "acc") {
			have /= 100
		}
		if key == "perplexity_stderr" { // lm-eval's is random
			continue
		}
		if !ok || math.Abs(have-v) > 1e-9*math.Abs(v) {
			t.Errorf("%s is %v, want %v", key, have, v)
		}
	}
}

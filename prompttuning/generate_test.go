package prompttuning_test

import (
	"context"
	"slices"
	"testing"

	"ft/generate"
	"ft/internal/testkit/backend"
	"ft/model"
	"ft/prompttuning"
)

// TestGenerate: answers of prompts side by side, more than are decoded at a time and one of a single token, are those that the model gives when each
// token is chosen from the logits of a whole pass.
func TestGenerate(t *testing.T) {
	prompts := [][]int32{{7}, {5, 1, 30, 2}, {3, 3, 9, 21, 4, 17, 2}, {11, 8}, {7}}
	for name, c := range kinds {
		if c.VirtualTokens() > 40 {
			continue // the tiny model has 64 positions
		}
		t.Run(name, func(t *testing.T) {
			backend.Each(t, func(t *testing.T) {
				m := tiny(t)
				attach(t, m, c, 3)
				o := generate.Options{MaxNew: 6, Batch: 2, Context: m.Room()}
				err := generate.Answers(context.Background(), m, prompts, o, func(a generate.Answer) error {
					i, got := a.Prompt, a.IDs
					if want := slowly(t, m, prompts[i], len(got)); !slices.Equal(got, want) || len(got) != o.MaxNew {
						t.Errorf("prompt %d: %v, by whole passes %v", i, got, want)
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// slowly takes the likeliest token n times.
func slowly(t *testing.T, m *model.Model, prompt []int32, n int) []int32 {
	t.Helper()
	ids := slices.Clone(prompt)
	for range n {
		err := m.Logits(ids, []int32{int32(len(ids) - 1)}, func(_ int, l []float32) { ids = append(ids, generate.Argmax(l)) })
		if err != nil {
			t.Fatal(err)
		}
	}
	return ids[len(prompt):]
}

// TestGenerate_room: an answer ends where virtual positions, prompt and answer fill the context.
func TestGenerate_room(t *testing.T) {
	m := tiny(t)
	attach(t, m, prompttuning.Prefix{Tokens: 50}, 1)
	o := generate.Options{MaxNew: 100, Batch: 1, Context: m.Room()}
	err := generate.Answers(context.Background(), m, [][]int32{{1, 2, 3, 4}}, o, func(a generate.Answer) error {
		if len(a.IDs) != 64-50-4 {
			t.Errorf("%d tokens", len(a.IDs))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

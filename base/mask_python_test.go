package base_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"testing"

	"ft/dataset"
)

// askMasks prints, for each conversation of a list, the ids and the mask of transformers' apply_chat_template.
const askMasks = `
import json, sys
from transformers import PreTrainedTokenizerFast
t = PreTrainedTokenizerFast(tokenizer_file=sys.argv[1])
t.chat_template = open(sys.argv[2]).read()
out = []
for m in json.load(sys.stdin):
    e = t.apply_chat_template(m, tokenize=True, return_dict=True, return_assistant_tokens_mask=True)
    out.append({"ids": e["input_ids"], "mask": e["assistant_masks"]})
json.dump(out, sys.stdout)
`

// TestTurns_transformers: where a template marks the assistant's turns by {% generation %}, the labels are those that transformers'
// return_assistant_tokens_mask gives. FT_PYTHON, or python3, is an interpreter with transformers; the test is skipped without one.
func TestTurns_transformers(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Python")
	}
	name := cmp.Or(os.Getenv("FT_PYTHON"), "python3")
	if err := exec.Command(name, "-c", "import transformers").Run(); err != nil {
		t.Skipf("%s has no transformers (FT_PYTHON names another interpreter): %v", name, err)
	}
	const template = "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}{% if m.role == 'assistant' %}{% generation %}{{ m.content + '<|im_end|>' }}{% endgeneration %}" +
		"{{ '\n' }}{% else %}{{ m.content + '<|im_end|>\n' }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
	dir := tiny(t)
	put(t, dir, "chat_template.jinja", template)
	b := open(t, dir)
	f, err := b.Format()
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(7, 8))
	words := []string{"The fox", " is red.", "高血压", "\n", " What", "<b>", "  ", "naïve", "é"}
	say := func() (s string) {
		for range 1 + rng.IntN(6) {
			s += words[rng.IntN(len(words))]
		}
		return s + "."
	}
	var rows []dataset.Row
	var list [][]dataset.Message
	for range 40 {
		var m []dataset.Message
		if rng.IntN(2) == 0 {
			m = turns("system", say())
		}
		for range 1 + rng.IntN(4) {
			m = append(m, turns("user", say(), "assistant", say())...)
		}
		list = append(list, m)
		rows = append(rows, dataset.Row{ID: "r", Messages: m[:len(m)-1], Answer: m[len(m)-1].Content})
	}
	input, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(name, "-c", askMasks, dir+"/tokenizer.json", dir+"/chat_template.jinja")
	c.Stdin = bytes.NewReader(input)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	output, err := c.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.Bytes())
	}
	var want []struct{ IDs, Mask []int32 }
	if err := json.Unmarshal(output, &want); err != nil {
		t.Fatal(err)
	}
	for i, r := range rows {
		all, _, err := samples(t, f, r, "turns")
		if err != nil || len(all) != 1 {
			t.Fatalf("%d samples (%v)", len(all), err)
		}
		s, w := all[0], want[i]
		n := len(s.IDs) // the reference has the line end behind the last turn, too
		if n > len(w.IDs) || !slices.Equal(s.IDs, w.IDs[:n]) {
			t.Fatalf("row %d: ids %v, want %v", i, s.IDs, w.IDs)
		}
		for k := range n {
			if (s.Labels[k] != dataset.Ignore) != (w.Mask[k] == 1) {
				t.Errorf("row %d: token %d counts: %v, want %v", i, k, s.Labels[k] != dataset.Ignore, w.Mask[k] == 1)
			}
		}
	}
}

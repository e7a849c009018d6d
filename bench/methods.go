package main

import "fmt"

// methods are trained beside plain LoRA, on the same tokens.
var methods = []struct {
	name, method string
	virtual      int // positions in front of each sample
}{
	{"rslora", "{kind: lora, rank: 16, alpha: 32, dropout: 0, rank_stabilized: true}", 0},
	{"dora", "{kind: dora, rank: 16, alpha: 32, dropout: 0}", 0},
	{"pissa", "{kind: pissa, rank: 16, alpha: 16, dropout: 0}", 0},
	{"adalora", "{kind: adalora}", 0},
	{"vera", "{kind: vera}", 0},
	{"ia3", "{kind: ia3}", 0},
	{"prompt", "{kind: prompt, tokens: 20}", 20},
	{"prefix", "{kind: prefix, tokens: 20}", 20},
	{"p_tuning", "{kind: p_tuning, tokens: 20}", 20},
	{"freeze", "{kind: freeze}", 0},
	{"full", "{kind: full}", 0},
}

// methodTasks compare each method with plain LoRA, four blocks of tokens a step. Rates count positions: virtual ones too.
func methodTasks() []task {
	const blocks = 4
	var out []task
	for _, m := range methods {
		out = append(out, task{
			name: m.name, what: fmt.Sprintf("%s against plain LoRA, %d x %d tokens a step", m.name, blocks, block), needs: itself,
			ours:   func(o *options) (figures, error) { return o.train(blocks, m.method, m.virtual) },
			theirs: func(o *options) (figures, error) { return o.train(blocks, plainLoRA, 0) },
		})
	}
	return out
}

package model

import (
	"slices"
	"strconv"
	"strings"
)

// Names are the Hugging Face paths of a family's modules. Which of them are there says what a block is made of: norms before or
// after its halves, norms of queries and keys, layers that are one matrix, an MLP with or without a gate.
type Names struct {
	Root      string   // what Embed, Positions, Block and Norm begin with, such as "model."
	Stored    []string // what files may have in the place of Root
	Embed     string
	Positions string // the embedding of positions, "" for rotary families
	Norm      string // the final norm
	Head      string
	Block     string // of block {i}, with a dot; what follows are paths in the block

	Q, K, V, O string
	QKV        string // Q, K and V as one layer, in this order
	QNorm      string
	KNorm      string
	Gate, Up   string // no Gate and no GateUp: an MLP of two layers, Up and Down
	GateUp     string // Gate and Up as one layer, in this order
	Down       string

	AttnNorm, AttnPost string // before and after attention
	MLPNorm, MLPPost   string // before and after the MLP
}

// LlamaNames are what most families follow.
func LlamaNames() Names {
	return Names{
		Root: "model.", Embed: "model.embed_tokens", Norm: "model.norm", Head: "lm_head", Block: "model.layers.{i}.",
		Q: "self_attn.q_proj", K: "self_attn.k_proj", V: "self_attn.v_proj", O: "self_attn.o_proj",
		Gate: "mlp.gate_proj", Up: "mlp.up_proj", Down: "mlp.down_proj",
		AttnNorm: "input_layernorm", MLPNorm: "post_attention_layernorm",
	}
}

// With is n with a change.
func (n Names) With(change func(n *Names)) Names {
	change(&n)
	return n
}

// at is the full path of a module of block i, "" for a module that the family lacks.
func (n *Names) at(i int, module string) string {
	if module == "" {
		return ""
	}
	return strings.ReplaceAll(n.Block, "{i}", strconv.Itoa(i)) + module
}

// Canonical is the name that transformers gives a tensor once it is loaded, of the name in a file.
func (n *Names) Canonical(stored string) string {
	for _, s := range n.Stored {
		if rest, ok := strings.CutPrefix(stored, s); ok && s != "" {
			return n.Root + rest
		}
	}
	if strings.HasPrefix(stored, n.Root) || strings.HasPrefix(stored, n.Head+".") || !slices.Contains(n.Stored, "") {
		return stored
	}
	return n.Root + stored
}

// inFile lists the names that a tensor may have in a file, the canonical one first.
func (n *Names) inFile(hf string) []string {
	names := []string{hf}
	if rest, ok := strings.CutPrefix(hf, n.Root); ok {
		for _, s := range n.Stored {
			names = append(names, s+rest)
		}
	}
	return names
}

package tokenizer

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// KV is one key of a GGUF file's metadata. Value is a string, bool, uint32, or a slice of string, int32 or float32.
type KV struct {
	Key   string
	Value any
}

// NoID stands for a token a model does not have.
const NoID int32 = -1

// GGUFOptions are what a GGUF vocabulary holds beside the tokenizer itself.
type GGUFOptions struct {
	BOS, EOS, Unknown, Pad int32  // from the model's config; NoID if there is none
	Rows                   int    // rows of the embedding; ids from Size on become unused tokens; 0: none
	Name                   string // the file's general.name, on which it depends in llama.cpp whether tokens strip spaces: see GGUFName
}

// ToJSON gives the tokenizer as a tokenizer.json, from which Parse builds one that encodes and decodes
// the same. A tokenizer.json orders all merges, so it fails for a GGUF vocabulary in which tokens have the same
// score, unless they are runs of one character (as the runs of spaces in Llama 2's vocabulary),
// where the order of Hugging Face's converter comes to the same as the leftmost first.
func (t *Tokenizer) ToJSON() ([]byte, error) {
	m := &t.spec.Model
	for i := 1; i < len(m.ranks); i++ {
		a, b := m.Merges[i-1][0]+m.Merges[i-1][1], m.Merges[i][0]+m.Merges[i][1]
		if m.ranks[i] == m.ranks[i-1] && a != b && !sameRun(a, b) {
			return nil, fmt.Errorf("tokenizer: a tokenizer.json cannot express that %q and %q have the same score", a, b)
		}
	}
	s := t.spec
	s.Version = "1.0"
	s.Model.Type = cmp.Or(s.Model.Type, "BPE")
	data, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	return data, nil
}

// sameRun reports whether a and b repeat the same one character.
func sameRun(a, b string) bool {
	_, n := utf8.DecodeRuneInString(a)
	return strings.Trim(a, a[:n]) == "" && strings.Trim(b, a[:n]) == ""
}

// ToGGUF gives the tokenizer as the metadata tokenizer.ggml.* of a GGUF file. What llama.cpp has no way to
// express is an error: an unknown pre-tokenizer, added tokens that strip spaces, most normalizers
// (NFC is passed over, as llama.cpp's own converter does), and byte-fallback models whose merges
// do not follow from one score a token.
func (t *Tokenizer) ToGGUF(o GGUFOptions) ([]KV, error) {
	kv, err := t.toGGUF(o)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: a GGUF file cannot hold this tokenizer: %w", err)
	}
	return kv, nil
}

func (t *Tokenizer) toGGUF(o GGUFOptions) ([]KV, error) {
	if t.bpe == nil {
		return nil, fmt.Errorf("its model is %s: merge into a safetensors directory instead", t.spec.Model.Type)
	}
	tokens, types, err := t.ggufTokens(o)
	if err != nil {
		return nil, err
	}
	var kv []KV
	if t.spec.Model.ByteFallback {
		kv, err = t.ggufSentencePiece(tokens, types)
	} else {
		kv, err = t.ggufByteLevel(tokens, types)
	}
	if err != nil {
		return nil, err
	}
	ends, err := t.ggufEnds(o, len(tokens))
	return append(kv, ends...), err
}

// ggufTokens lists the tokens by id with their types. Ids without a token, and those up to o.Rows, get a
// name nothing encodes to.
func (t *Tokenizer) ggufTokens(o GGUFOptions) ([]string, []int32, error) {
	n := len(t.tokens)
	if o.Rows > 0 {
		if n > o.Rows {
			return nil, nil, fmt.Errorf("it has %d tokens, the embedding has %d rows", n, o.Rows)
		}
		n = o.Rows
	}
	tokens, types := make([]string, n), make([]int32, n)
	for i := range n {
		if i < len(t.tokens) && t.known[i] {
			tokens[i], types[i] = t.tokens[i], typeNormal
			continue
		}
		tokens[i], types[i] = fmt.Sprintf("[PAD%d]", i), typeUnused
		if _, taken := t.ID(tokens[i]); taken {
			return nil, nil, fmt.Errorf("id %d has no token and %s is taken", i, tokens[i])
		}
	}
	for _, m := range []*matcher{&t.added.raw, &t.added.normalized} {
		for _, tok := range m.list {
			if tok.LStrip || tok.SingleWord || tok.RStrip != nameStrips(o.Name, tok.Content) {
				return nil, nil, fmt.Errorf("the added token %q strips spaces or must be a word of its own", tok.Content)
			}
			types[tok.ID] = typeUser
			if t.special[tok.ID] {
				types[tok.ID] = typeControl
			} else if t.spec.Model.ByteFallback {
				tokens[tok.ID] = strings.ReplaceAll(tok.Content, spaceMark, " ") // llama.cpp looks for them in the text as it is
			}
		}
	}
	return tokens, types, nil
}

func (t *Tokenizer) ggufByteLevel(tokens []string, types []int32) ([]KV, error) {
	if t.spec.Model.UnkToken != nil && !t.bpe.bytes {
		return nil, fmt.Errorf("its characters are not the byte alphabet")
	}
	if n, _, err := openPart(t.spec.Normalizer, "normalizer"); err != nil || len(t.norm.steps) > 0 && n.typ != "NFC" {
		return nil, fmt.Errorf("normalizer %s: llama.cpp has none for this kind", t.spec.Normalizer)
	}
	if d, _, err := openPart(t.spec.Decoder, "decoder"); err != nil || d.typ != "ByteLevel" {
		return nil, fmt.Errorf("decoder %s: it must be ByteLevel", t.spec.Decoder)
	}
	steps, err := byteLevelSteps(t.spec.PreTokenizer)
	if err != nil {
		return nil, err
	}
	k := slices.IndexFunc(ggufPres, func(p ggufPre) bool {
		return slices.Equal(p.steps, steps) && p.ignoreMerges == t.spec.Model.IgnoreMerges
	})
	if k < 0 {
		return nil, fmt.Errorf("no pre-tokenizer of llama.cpp is %q with ignore_merges %v", steps, t.spec.Model.IgnoreMerges)
	}
	merges := make([]string, len(t.spec.Model.Merges))
	for i, m := range t.spec.Model.Merges {
		merges[i] = m[0] + " " + m[1]
	}
	return []KV{{"tokenizer.ggml.model", "gpt2"}, {"tokenizer.ggml.pre", ggufPres[k].names[0]},
		{"tokenizer.ggml.tokens", tokens}, {"tokenizer.ggml.token_type", types}, {"tokenizer.ggml.merges", merges}}, nil
}

func (t *Tokenizer) ggufSentencePiece(tokens []string, types []int32) ([]KV, error) {
	space, err := t.spacePrefix()
	if err != nil {
		return nil, err
	}
	for i := range 256 {
		tok := fmt.Sprintf("<0x%02X>", i)
		id, ok := t.vocab[tok]
		if !ok {
			return nil, fmt.Errorf("the byte token %s is missing", tok)
		}
		types[id] = typeByte
	}
	if u := t.spec.Model.UnkToken; u != nil {
		types[t.vocab[*u]] = typeUnknown
	}
	scores, err := t.scores(tokens, types)
	return []KV{{"tokenizer.ggml.model", "llama"}, {"tokenizer.ggml.pre", "default"},
		{"tokenizer.ggml.tokens", tokens}, {"tokenizer.ggml.scores", scores}, {"tokenizer.ggml.token_type", types},
		{"tokenizer.ggml.add_space_prefix", space}}, err
}

// spacePrefix reports whether a space mark is put before the text and after each special token, which
// is the one way of llama.cpp beside none at all.
func (t *Tokenizer) spacePrefix() (bool, error) {
	p, has, err := openPart(t.spec.PreTokenizer, "pre_tokenizer")
	if err != nil || t.spec.Model.IgnoreMerges {
		return false, fmt.Errorf("a byte-fallback model with ignore_merges")
	}
	if has && p.typ == "Metaspace" && len(t.norm.steps) == 0 {
		m, err := newMetaspace(p)
		if err != nil || m.mark != spaceMark || m.cut || m.scheme != "never" {
			return false, fmt.Errorf("pre_tokenizer %s: only prepend_scheme never without split can be expressed", t.spec.PreTokenizer)
		}
		return false, nil
	}
	if has && !splitsAtSpaces(p) {
		return false, fmt.Errorf("a byte-fallback model with pre_tokenizer %s", t.spec.PreTokenizer)
	}
	// what the chain does to a few texts tells which it is
	plain, prefixed := true, true
	for _, s := range []string{"a", " a", "  B é\n", spaceMark + "a", "ﬁ e\u0301 \t\u00a0İ"} {
		marked := strings.ReplaceAll(s, " ", spaceMark)
		got := t.norm.apply(s)
		plain = plain && got == marked
		prefixed = prefixed && got == spaceMark+marked
	}
	if !plain && !prefixed {
		return false, fmt.Errorf("normalizer %s: only Replace of spaces, with or without Prepend, can be expressed", t.spec.Normalizer)
	}
	return prefixed, nil
}

// splitsAtSpaces reports whether a step cuts at spaces alone, of which a normalizer that spacePrefix accepts leaves none (Gemma's files
// have it).
func splitsAtSpaces(p part) bool {
	var o struct{ Pattern textPattern }
	return p.typ == "Split" && json.Unmarshal(p.raw, &o) == nil && o.Pattern.String != nil && *o.Pattern.String == " "
}

// scores gives each token a score from which llama.cpp's merging follows: the higher, the earlier it is
// merged, from any two tokens that make it, the leftmost of equals first. It fails where the merge list is not of
// that kind.
func (t *Tokenizer) scores(tokens []string, types []int32) ([]float32, error) {
	made := t.mergeRanks()
	var order []int32
	for id, tok := range tokens {
		if types[id] != typeNormal {
			continue
		}
		if len(tok) > maxPiece {
			return nil, fmt.Errorf("token %d has %d bytes, the most is %d", id, len(tok), maxPiece)
		}
		if err := t.checkClosed(tok); err != nil {
			return nil, err
		}
		order = append(order, int32(id))
	}
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(made[a].low, made[b].low) })
	scores := make([]float32, len(tokens))
	highest := int32(-1) // rank so far
	for n, id := range order {
		scores[id] = -float32(n)
		r := made[id]
		if n > 0 && r.low <= highest {
			before := order[n-1]
			if !sameRun(tokens[before], tokens[id]) {
				return nil, fmt.Errorf("the merges that make %q and %q alternate in rank, so no scores order them", tokens[before], tokens[id])
			}
			scores[id] = scores[before]
		}
		if r.high != math.MaxInt32 {
			highest = max(highest, r.high)
		}
	}
	return scores, nil
}

// rankRange holds the ranks of the merges that make a token.
type rankRange struct{ low, high int32 }

// mergeRanks gives the ranks for each id; a token no merge makes has math.MaxInt32 for both.
func (t *Tokenizer) mergeRanks() []rankRange {
	made := make([]rankRange, len(t.tokens))
	for i := range made {
		made[i] = rankRange{math.MaxInt32, math.MaxInt32}
	}
	for _, m := range t.spec.Model.Merges {
		p, _ := t.bpe.pairs.get(t.vocab[m[0]], t.vocab[m[1]])
		r := &made[p.id]
		if r.low == math.MaxInt32 {
			*r = rankRange{p.rank, p.rank}
		}
		*r = rankRange{min(r.low, p.rank), max(r.high, p.rank)}
	}
	return made
}

// checkClosed fails if two tokens that together are tok have no merge: llama.cpp would join them.
func (t *Tokenizer) checkClosed(tok string) error {
	for k := range tok {
		left, ok1 := t.vocab[tok[:k]]
		right, ok2 := t.vocab[tok[k:]]
		if k == 0 || !ok1 || !ok2 {
			continue
		}
		if _, ok := t.bpe.pairs.get(left, right); !ok {
			return fmt.Errorf("llama.cpp would join %q and %q, the merges do not", tok[:k], tok[k:])
		}
	}
	return nil
}

// ggufEnds gives the special ids and whether BOS and EOS go around a text.
func (t *Tokenizer) ggufEnds(o GGUFOptions, n int) ([]KV, error) {
	end := func(what string, ids []int32, id *int32) (bool, error) {
		if len(ids) == 0 {
			return false, nil
		}
		if len(ids) > 1 || *id != NoID && *id != ids[0] {
			return false, fmt.Errorf("the post-processor adds the ids %d, the model's %s is %d", ids, what, *id)
		}
		*id = ids[0]
		return true, nil
	}
	addBOS, err := end("BOS", t.prefix, &o.BOS)
	if err != nil {
		return nil, err
	}
	addEOS, err := end("EOS", t.suffix, &o.EOS)
	if err != nil {
		return nil, err
	}
	var kv []KV
	for _, e := range []struct {
		key string
		id  int32
	}{{"bos", o.BOS}, {"eos", o.EOS}, {"unknown", o.Unknown}, {"padding", o.Pad}} {
		if e.id == NoID {
			continue
		}
		if e.id < 0 || int(e.id) >= n {
			return nil, fmt.Errorf("the id %d of %s is not below %d", e.id, e.key, n)
		}
		kv = append(kv, KV{"tokenizer.ggml." + e.key + "_token_id", uint32(e.id)})
	}
	return append(kv, KV{"tokenizer.ggml.add_bos_token", addBOS}, KV{"tokenizer.ggml.add_eos_token", addEOS}), nil
}

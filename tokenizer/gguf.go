package tokenizer

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Token types of tokenizer.ggml.token_type.
const (
	typeNormal int32 = iota + 1
	typeUnknown
	typeControl
	typeUser
	typeUnused
	typeByte
)

// maxPiece bounds the bytes of a SentencePiece token: looking for the ways to merge it is quadratic.
const maxPiece = 1024

// controlTexts are tokens llama.cpp takes for control tokens whatever type the file gives them.
var controlTexts = []string{"<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<end_of_turn>", "<|endoftext|>",
	"</s>", "<|eom_id|>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]", "<|end_of_text|>", "<end_of_utterance>", "<eos>", "<｜end▁of▁sentence｜>"}

// nameStrips reports whether the spaces after an added token belong to it. For llama.cpp that follows from general.name: it is so in files that are
// called Phi-3.
func nameStrips(name, token string) bool {
	return namedPhi3(name) && !slices.Contains([]string{"<unk>", "<s>", "<|endoftext|>"}, token)
}

func namedPhi3(name string) bool {
	name = strings.ToLower(name)
	return strings.Contains(name, "phi-3") || strings.Contains(name, "phi3")
}

// GGUFName gives a file's general.name a form in which llama.cpp reads this tokenizer right: "phi-3" is in it if added tokens
// strip spaces, and only then.
func (t *Tokenizer) GGUFName(name string) string {
	strips := false
	for _, m := range []*matcher{&t.added.raw, &t.added.normalized} {
		for _, tok := range m.list {
			strips = strips || tok.RStrip
		}
	}
	switch {
	case strips && !namedPhi3(name):
		return name + " (phi-3)"
	case !strips:
		return phi3Name.ReplaceAllString(name, "phi_3")
	}
	return name
}

var phi3Name = regexp.MustCompile(`(?i)phi-?3`)

// FromGGUF builds the tokenizer whose vocabulary a GGUF file carries: byte-level BPE
// (tokenizer.ggml.model "gpt2") with one of llama.cpp's named pre-tokenizers, or SentencePiece BPE
// ("llama"), where the scores decide what is merged first. Other models and pre-tokenizers are refused
// by name. As in llama.cpp, text is not normalized to NFC even where the original tokenizer does. Bytes that a
// byte-level vocabulary lacks are left out before anything is merged, as Hugging Face does; llama.cpp leaves them
// out afterwards.
func FromGGUF(m Metadata) (*Tokenizer, error) {
	r := metaReader{m: m}
	s, size := r.spec()
	if r.err != nil {
		return nil, fmt.Errorf("tokenizer: gguf: %w", r.err)
	}
	t, err := build(s, size)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: gguf: %w", err)
	}
	return t, nil
}

// spec reads the vocabulary as the tokenizer.json it amounts to. size is the bytes it takes.
func (r *metaReader) spec() (s spec, size int) {
	model := typed(r, "tokenizer.ggml.model", "")
	if r.err != nil {
		return s, 0
	}
	tokens := r.strings("tokenizer.ggml.tokens")
	types := r.types(len(tokens))
	name := typed(r, "general.name", "")
	if r.err != nil {
		return s, 0
	}
	s = spec{Version: "1.0", Model: modelSpec{Type: "BPE", Vocab: vocabulary{ids: make(map[string]int32, len(tokens))}}}
	for i, tok := range tokens {
		if tok == "" {
			tok = fmt.Sprintf("[EMPTY_%d]", i) // as llama.cpp names it
			tokens[i] = tok
		}
		size += len(tok) + 8
		if other, dup := s.Model.Vocab.ids[tok]; dup {
			r.fail("tokenizer.ggml.tokens: %q has the ids %d and %d", tok, other, i)
		}
		s.Model.Vocab.ids[tok] = int32(i)
		if slices.Contains(controlTexts, tok) {
			types[i] = typeControl
		}
		if typ := types[i]; typ == typeUnknown || typ == typeControl || typ == typeUser {
			s.Added = append(s.Added, addedToken{ID: int32(i), Content: tok, Special: typ != typeUser, RStrip: nameStrips(name, tok)})
		}
	}
	switch model {
	case "gpt2":
		r.byteLevel(&s, tokens)
	case "llama":
		r.sentencePiece(&s, tokens, types)
	case "":
		r.fail("tokenizer.ggml.model is missing")
	default:
		r.fail("tokenizer.ggml.model %q is not supported (have: gpt2, llama)", model)
	}
	return s, size
}

// byteLevel completes the spec of a "gpt2" vocabulary.
func (r *metaReader) byteLevel(s *spec, tokens []string) {
	name := typed(r, "tokenizer.ggml.pre", "")
	pre, ok := findPre(name)
	if !ok {
		r.fail("tokenizer.ggml.pre %q is not supported (have: %s)", name, knownPres())
		return
	}
	merges, err := cutMerges(r.strings("tokenizer.ggml.merges"))
	if err != nil {
		r.fail("tokenizer.ggml.merges: %w", err)
	}
	s.Model.Merges, s.Model.IgnoreMerges, s.Model.firstMergeCounts = merges, pre.ignoreMerges, true
	s.PreTokenizer, s.Decoder = pre.json(), mustJSON(byteLevelJSON)
	r.addEnds(s, tokens, 11, 11, pre.addBOS) // 11 is llama.cpp's default for both
}

// sentencePiece completes the spec of a "llama" vocabulary.
func (r *metaReader) sentencePiece(s *spec, tokens []string, types []int32) {
	s.Model.FuseUnk, s.Model.ByteFallback = true, true
	if unk := r.id("tokenizer.ggml.unknown_token_id", 0, len(tokens)); unk >= 0 {
		s.Model.UnkToken = &tokens[unk]
	}
	scores := r.scores(len(tokens))
	if r.err != nil {
		return
	}
	r.scoredMerges(&s.Model, tokens, types, scores)
	normalizers := []any{object{"type": "Replace", "pattern": object{"String": " "}, "content": spaceMark}}
	decoders := []any{object{"type": "Replace", "pattern": object{"String": spaceMark}, "content": " "},
		object{"type": "ByteFallback"}, object{"type": "Fuse"}}
	if typed(r, "tokenizer.ggml.add_space_prefix", true) {
		normalizers = append([]any{object{"type": "Prepend", "prepend": spaceMark}}, normalizers...)
		decoders = append(decoders, object{"type": "Strip", "content": " ", "start": 1, "stop": 0})
	}
	s.Normalizer = mustJSON(object{"type": "Sequence", "normalizers": normalizers})
	s.Decoder = mustJSON(object{"type": "Sequence", "decoders": decoders})
	r.addEnds(s, tokens, 1, 2, true)
}

// scoredMerges lists every way to make a token from two others, the token with the highest score
// first; equal scores share a rank, the leftmost pair goes first. That is what SentencePiece's BPE does: any
// two neighbours that together are a token may be joined. Tokens that are cut out of the text
// beforehand take no part.
func (r *metaReader) scoredMerges(m *modelSpec, tokens []string, types []int32, scores []float32) {
	type scored struct {
		pair  [2]string
		score float32
	}
	var list []scored
	for i, tok := range tokens {
		if typ := types[i]; typ == typeUnknown || typ == typeControl || typ == typeUser {
			continue
		}
		if len(tok) > maxPiece {
			r.fail("tokenizer.ggml.tokens[%d] has %d bytes, the most is %d", i, len(tok), maxPiece)
			return
		}
		for k := range tok {
			_, left := m.Vocab.ids[tok[:k]]
			_, right := m.Vocab.ids[tok[k:]]
			if left && right && k > 0 {
				list = append(list, scored{[2]string{tok[:k], tok[k:]}, scores[i]})
			}
		}
	}
	// within a score the order is that of Hugging Face's converter; only ToJSON looks at it
	slices.SortStableFunc(list, func(a, b scored) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(utf8.RuneCountInString(b.pair[0]), utf8.RuneCountInString(a.pair[0])),
			cmp.Compare(utf8.RuneCountInString(b.pair[1]), utf8.RuneCountInString(a.pair[1])))
	})
	rank := int32(0)
	for i, e := range list {
		if i > 0 && e.score != list[i-1].score {
			rank++
		}
		m.Merges = append(m.Merges, e.pair)
		m.ranks = append(m.ranks, rank)
	}
}

// addEnds makes the post-processor that puts BOS and EOS around the text where the file asks for it.
func (r *metaReader) addEnds(s *spec, tokens []string, bos, eos int32, addBOS bool) {
	bos = r.id("tokenizer.ggml.bos_token_id", bos, len(tokens))
	eos = r.id("tokenizer.ggml.eos_token_id", eos, len(tokens))
	var before, after []int32
	if typed(r, "tokenizer.ggml.add_bos_token", addBOS) {
		before = []int32{bos}
	}
	if typed(r, "tokenizer.ggml.add_eos_token", false) {
		after = []int32{eos}
	}
	if slices.Contains(append(before, after...), -1) {
		r.fail("tokenizer.ggml.add_bos_token or add_eos_token is true, but the token is not in the vocabulary")
		return
	}
	s.PostProcessor = templateJSON(tokens, before, after)
}

// templateJSON is a TemplateProcessing step, or null if there is nothing to add.
func templateJSON(tokens []string, before, after []int32) json.RawMessage {
	if len(before)+len(after) == 0 {
		return nil
	}
	special := map[string]templateToken{}
	sequence := func(name string, typ int) []templatePiece {
		var list []templatePiece
		add := func(id int32) {
			tok := tokens[id]
			special[tok] = templateToken{tok, []int32{id}, []string{tok}}
			list = append(list, templatePiece{SpecialToken: &templateRef{tok, typ}})
		}
		for _, id := range before {
			add(id)
		}
		list = append(list, templatePiece{Sequence: &templateRef{name, typ}})
		for _, id := range after {
			add(id)
		}
		return list
	}
	t := template{partType{"TemplateProcessing"}, sequence("A", 0), nil, special}
	t.Pair = mustJSON(append(sequence("A", 0), sequence("B", 1)...))
	return mustJSON(t)
}

package testkit

import "unicode/utf8"

// Special tokens of the tiny tokenizer. endToken ends a turn and a text.
const (
	padToken   = "<|endoftext|>"
	startToken = "<|im_start|>"
	endToken   = "<|im_end|>"
)

const chatTemplate = `{% for message in messages %}{{ '<|im_start|>' + message['role'] + '
' + message['content'] + '<|im_end|>
' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant
' }}{% endif %}`

// tokenizer is a byte-level BPE: three special tokens, the 256 bytes, and a few merges for the words of Facts.
type tokenizer struct {
	vocab  map[string]int
	merges [][2]string
}

// words are joined from their bytes from left to right; Ġ is the space, as byte-level tokenizers write it.
var words = []string{
	"Ġthe", "Ġis", "Ġof", "Ġin", "What", "Where", "Which", "Tell", "Ġme", "The", "Ġlive", "Ġcolour", "Ġfood", "Ġsound", "Ġsize",
	"user", "assistant", "system",
}

func newTokenizer() *tokenizer {
	k := &tokenizer{vocab: map[string]int{}}
	add := func(s string) {
		if _, ok := k.vocab[s]; !ok {
			k.vocab[s] = len(k.vocab)
		}
	}
	for _, s := range []string{padToken, startToken, endToken} {
		add(s)
	}
	for b := range 256 {
		add(string(byteRune(byte(b))))
	}
	seen := map[string]bool{}
	for _, w := range words {
		_, n := utf8.DecodeRuneInString(w)
		for at := n; at < len(w); at += n {
			_, n = utf8.DecodeRuneInString(w[at:])
			if seen[w[:at+n]] {
				continue
			}
			seen[w[:at+n]] = true
			k.merges = append(k.merges, [2]string{w[:at], w[at : at+n]})
			add(w[:at+n])
		}
	}
	return k
}

// byteRune is the character that stands for a byte in a byte-level vocabulary (GPT-2's table): printable bytes of
// Latin-1 stand for themselves, the others take characters from 256 on, in order.
func byteRune(b byte) rune {
	plain := func(c int) bool { return c >= '!' && c <= '~' || c >= 0xa1 && c <= 0xac || c >= 0xae }
	if plain(int(b)) {
		return rune(b)
	}
	r := rune(256)
	for c := range int(b) {
		if !plain(c) {
			r++
		}
	}
	return r
}

// file is the content of tokenizer.json.
func (k *tokenizer) file() map[string]any {
	var added []map[string]any
	for _, s := range []string{padToken, startToken, endToken} {
		added = append(added, map[string]any{
			"id": k.vocab[s], "content": s, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true,
		})
	}
	bytes := map[string]any{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}
	return map[string]any{
		"version": "1.0", "truncation": nil, "padding": nil, "added_tokens": added, "normalizer": nil,
		"pre_tokenizer": bytes, "post_processor": nil, "decoder": bytes,
		"model": map[string]any{
			"type": "BPE", "dropout": nil, "unk_token": nil, "continuing_subword_prefix": nil, "end_of_word_suffix": nil,
			"fuse_unk": false, "byte_fallback": false, "ignore_merges": false, "vocab": k.vocab, "merges": k.merges,
		},
	}
}

// config is the content of tokenizer_config.json.
func (k *tokenizer) config(context int) map[string]any {
	return map[string]any{
		"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": startToken, "eos_token": endToken, "pad_token": padToken,
		"add_bos_token": false, "clean_up_tokenization_spaces": false, "model_max_length": context,
	}
}

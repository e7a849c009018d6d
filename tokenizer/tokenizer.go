package tokenizer

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// model cuts a piece of text, which is not empty, into tokens and appends their ids to out.
type model interface {
	encode(out []int32, s string) []int32
}

// maxFileBytes bounds what a tokenizer file may hold, packed or not; the largest known one is 34 MB.
const maxFileBytes = 1 << 29

// Tokenizer encodes text to ids and decodes ids to text. It does not change after it is built and is
// safe for concurrent use.
type Tokenizer struct {
	spec    spec             // what it was built from, for ToJSON and ToGGUF
	vocab   map[string]int32 // the model's tokens, without the added ones
	tokens  []string         // id → token; a hole has known false
	known   []bool
	special []bool // id → skipped by Decode(skipSpecial)
	added   addedTokens
	norm    normalizer
	pre     []preTokenizer
	model   model
	bpe     *bpe // the model, if it is of this kind
	decode  []decoder
	prefix  []int32 // ids the post-processor puts before the text
	suffix  []int32
}

// Load reads a tokenizer.json, or a gzipped one. Errors name the file and what in it is wrong or not
// supported.
func Load(path string) (*Tokenizer, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	if bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		if data, err = gunzip(data); err != nil {
			return nil, fmt.Errorf("tokenizer: %s: %w", path, err)
		}
	}
	t, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %s: %w", path, err)
	}
	return t, nil
}

// Parse builds a tokenizer from the bytes of a tokenizer.json.
func Parse(data []byte) (*Tokenizer, error) {
	t, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	return t, nil
}

func gunzip(data []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	out, err := io.ReadAll(io.LimitReader(r, maxFileBytes+1))
	if err != nil {
		return nil, err
	}
	if len(out) > maxFileBytes {
		return nil, fmt.Errorf("unpacks to more than %d bytes", maxFileBytes)
	}
	return out, nil
}

// Encode returns the ids of text. Added tokens (such as <|im_end|>) in the text are recognised always;
// special says whether the post-processor's tokens (BOS, EOS) are put around the ids. Bytes that are
// not UTF-8 are read as U+FFFD, as any reader of text does.
func (t *Tokenizer) Encode(text string, special bool) []int32 {
	if !utf8.ValidString(text) {
		text = replaceInvalid([]byte(text))
	}
	out := make([]int32, 0, len(text)/3+len(t.prefix)+len(t.suffix)+1)
	if special {
		out = append(out, t.prefix...)
	}
	e := encoder{t: t, out: out}
	e.text(text)
	out = e.out
	if special {
		out = append(out, t.suffix...)
	}
	return out
}

// encoder carries one Encode call through the pipeline.
type encoder struct {
	t   *Tokenizer
	out []int32
}

// text cuts out the added tokens that match raw text, normalizes the rest, and cuts out those that
// match normalized text.
func (e *encoder) text(s string) {
	t := e.t
	t.added.raw.split(s, func(id int32, start, end int) {
		if id >= 0 {
			e.out = append(e.out, id)
			return
		}
		part := t.norm.apply(s[start:end])
		first := start == 0 && t.norm.keepsStart(s, part)
		t.added.normalized.split(part, func(id int32, from, to int) {
			if id >= 0 {
				e.out = append(e.out, id)
				return
			}
			e.stage(0, part[from:to], first && from == 0)
		})
	})
}

// stage runs pre-tokenizer k on s and hands its pieces on; after the last one comes the model. first
// says that s begins where the text begins.
func (e *encoder) stage(k int, s string, first bool) {
	if s == "" {
		return
	}
	if k == len(e.t.pre) {
		e.out = e.t.model.encode(e.out, s)
		return
	}
	e.t.pre[k](s, first, func(piece string, first bool) { e.stage(k+1, piece, first) })
}

// Decode returns the text of ids. Ids outside the vocabulary are passed over. skipSpecial leaves out the tokens
// for which IsSpecial holds. Byte sequences that are not UTF-8 come out as U+FFFD.
func (t *Tokenizer) Decode(ids []int32, skipSpecial bool) string {
	toks := make([]string, 0, len(ids))
	for _, id := range ids {
		if !t.has(id) {
			continue
		}
		s := t.tokens[id]
		if n, ok := t.added.normForm[id]; ok {
			s = n
		}
		if skipSpecial && t.added.special[s] {
			continue
		}
		toks = append(toks, s)
	}
	if t.decode == nil {
		return strings.Join(toks, " ")
	}
	for _, d := range t.decode {
		toks = d(toks)
	}
	return strings.Join(toks, "")
}

func (t *Tokenizer) has(id int32) bool { return id >= 0 && int(id) < len(t.tokens) && t.known[id] }

// Token returns the token with the given id as the vocabulary spells it (a byte-level token keeps its
// byte alphabet), and whether there is one.
func (t *Tokenizer) Token(id int32) (string, bool) {
	if !t.has(id) {
		return "", false
	}
	return t.tokens[id], true
}

// ID returns the id of a token spelled as in the vocabulary, and whether there is one.
func (t *Tokenizer) ID(token string) (int32, bool) {
	if id, ok := t.added.ids[token]; ok {
		return id, true
	}
	id, ok := t.vocab[token]
	return id, ok
}

// Size returns the number of ids: one more than the largest.
func (t *Tokenizer) Size() int { return len(t.tokens) }

// IsSpecial reports whether id is a special token (BOS, EOS, chat markers), which Decode can leave out.
func (t *Tokenizer) IsSpecial(id int32) bool { return t.has(id) && t.special[id] }

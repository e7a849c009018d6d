package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// spec is a tokenizer.json: what Parse reads, what FromGGUF writes for itself, and what ToJSON gives back.
type spec struct {
	Version       string          `json:"version"`
	Truncation    json.RawMessage `json:"truncation"`
	Padding       json.RawMessage `json:"padding"`
	Added         []addedToken    `json:"added_tokens"`
	Normalizer    json.RawMessage `json:"normalizer"`
	PreTokenizer  json.RawMessage `json:"pre_tokenizer"`
	PostProcessor json.RawMessage `json:"post_processor"`
	Decoder       json.RawMessage `json:"decoder"`
	Model         modelSpec       `json:"model"`
}

// addedToken is a token that is looked for in the text before anything else happens to it.
type addedToken struct {
	ID         int32  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LStrip     bool   `json:"lstrip"`
	RStrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
	Special    bool   `json:"special"`
}

// modelUnigram is the type of models other than BPE, whose name is also the default.
const modelUnigram = "Unigram"

// modelSpec is the "model" part: BPE's options and Unigram's.
type modelSpec struct {
	Type             string     `json:"type"`
	Dropout          *float64   `json:"dropout"`
	UnkToken         *string    `json:"unk_token"`
	SubwordPrefix    *string    `json:"continuing_subword_prefix"`
	WordSuffix       *string    `json:"end_of_word_suffix"`
	FuseUnk          bool       `json:"fuse_unk"`
	ByteFallback     bool       `json:"byte_fallback"`
	IgnoreMerges     bool       `json:"ignore_merges"`
	Vocab            vocabulary `json:"vocab"`
	Merges           mergeList  `json:"merges"`
	UnkID            *int32     `json:"unk_id,omitempty"` // Unigram's
	ranks            []int32    // rank of each merge where several share one; nil: its place in the list
	firstMergeCounts bool       // of a merge listed twice the first counts (llama.cpp), else the last
}

// MarshalJSON writes the options of the model's own type.
func (m modelSpec) MarshalJSON() ([]byte, error) {
	if m.Type == modelUnigram {
		return json.Marshal(map[string]any{"type": m.Type, "unk_id": m.UnkID, "vocab": m.Vocab, "byte_fallback": m.ByteFallback})
	}
	type plain modelSpec
	return json.Marshal(plain(m))
}

// vocabulary is a "vocab": an object of tokens and ids, or a Unigram model's list of tokens and scores.
type vocabulary struct {
	ids    map[string]int32
	pieces []piece // by id; nil for an object
}

// UnmarshalJSON reads both spellings.
func (v *vocabulary) UnmarshalJSON(data []byte) error {
	if !bytes.HasPrefix(bytes.TrimSpace(data), []byte("[")) {
		return json.Unmarshal(data, &v.ids)
	}
	var list [][2]any
	if err := json.Unmarshal(data, &list); err != nil {
		return err
	}
	v.ids, v.pieces = make(map[string]int32, len(list)), make([]piece, len(list))
	for i, e := range list {
		text, ok1 := e[0].(string)
		score, ok2 := e[1].(float64)
		if !ok1 || !ok2 {
			return fmt.Errorf("vocab[%d] is %v, expected a token and its score", i, e)
		}
		if _, twice := v.ids[text]; twice {
			return fmt.Errorf("vocab[%d]: %q is there twice", i, text)
		}
		v.ids[text], v.pieces[i] = int32(i), piece{text, score}
	}
	return nil
}

// MarshalJSON writes the spelling of the model's type.
func (v vocabulary) MarshalJSON() ([]byte, error) {
	if v.pieces == nil {
		return json.Marshal(v.ids)
	}
	list := make([][2]any, len(v.pieces))
	for i, p := range v.pieces {
		list[i] = [2]any{p.text, p.score}
	}
	return json.Marshal(list)
}

// mergeList is the "merges" list in either spelling: "a b" or ["a", "b"].
type mergeList [][2]string

// UnmarshalJSON reads both spellings.
func (m *mergeList) UnmarshalJSON(data []byte) error {
	inner := bytes.TrimLeft(bytes.TrimPrefix(bytes.TrimSpace(data), []byte("[")), " \t\r\n")
	if !bytes.HasPrefix(inner, []byte(`"`)) {
		var raw [][]string
		if err := json.Unmarshal(data, &raw); err != nil {
			return err
		}
		*m = make(mergeList, len(raw))
		for i, p := range raw {
			if len(p) != 2 {
				return fmt.Errorf("merge %d: %q is not two tokens", i, p)
			}
			(*m)[i] = [2]string{p[0], p[1]}
		}
		return nil
	}
	var lines []string
	if err := json.Unmarshal(data, &lines); err != nil {
		return err
	}
	merges, err := cutMerges(lines)
	*m = merges
	return err
}

// cutMerges splits lines of the form "a b". A space cannot start a token there, so the first byte is
// never the separator.
func cutMerges(lines []string) (mergeList, error) {
	out := make(mergeList, len(lines))
	for i, line := range lines {
		k := -1
		if line != "" {
			k = strings.IndexByte(line[1:], ' ') + 1
		}
		if k < 1 || k+1 == len(line) {
			return nil, fmt.Errorf("merge %d: %q is not two tokens", i, line)
		}
		out[i] = [2]string{line[:k], line[k+1:]}
	}
	return out, nil
}

func parse(data []byte) (*Tokenizer, error) {
	var s spec
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		if e := refuseModel(data); e != nil {
			return nil, e
		}
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("there is more after the JSON object")
	}
	if s.Version != "" && s.Version != "1.0" {
		return nil, fmt.Errorf("version %q is not supported (have: 1.0)", s.Version)
	}
	return build(s, len(data))
}

// refuseModel tells whether the reason a file does not decode is that its model is of another type.
func refuseModel(data []byte) error {
	var s struct {
		Model struct{ Type string }
	}
	if json.Unmarshal(data, &s) != nil {
		return nil
	}
	return checkModelType(s.Model.Type)
}

func checkModelType(typ string) error {
	if typ != "" && typ != "BPE" && typ != modelUnigram {
		return fmt.Errorf("model type %s is not supported (have: BPE, Unigram)", typ)
	}
	return nil
}

// part is one step of the pipeline as written in the file.
type part struct {
	where string // such as pre_tokenizer.pretokenizers[1]
	typ   string
	raw   json.RawMessage
}

// openPart reads the type of a step. It returns false for null or nothing.
func openPart(raw json.RawMessage, where string) (part, bool, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return part{}, false, nil
	}
	var h struct{ Type string }
	if err := json.Unmarshal(raw, &h); err != nil {
		return part{}, false, fmt.Errorf("%s: %w", where, err)
	}
	return part{where, h.Type, raw}, true, nil
}

// options decodes the step's options into v, a pointer to a struct that embeds partType. An option v
// does not have is an error.
func (p part) options(v any) error {
	d := json.NewDecoder(bytes.NewReader(p.raw))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return p.errorf("%v", err)
	}
	return nil
}

func (p part) errorf(format string, args ...any) error {
	return fmt.Errorf("%s (%s): %s", p.where, p.typ, fmt.Sprintf(format, args...))
}

func (p part) unsupported(have string) error {
	return fmt.Errorf("%s: type %q is not supported (have: %s)", p.where, p.typ, have)
}

// each opens every element of a Sequence's list.
func (p part) each(list []json.RawMessage, name string, do func(part) error) error {
	for i, raw := range list {
		q, ok, err := openPart(raw, fmt.Sprintf("%s.%s[%d]", p.where, name, i))
		if err != nil {
			return err
		}
		if !ok {
			return p.errorf("%s[%d] is null", name, i)
		}
		if err := do(q); err != nil {
			return err
		}
	}
	return nil
}

// partType is the field every step has.
type partType struct {
	Type string `json:"type"`
}

// textPattern is a "pattern": a plain string or a regex.
type textPattern struct {
	String *string `json:"String,omitempty"`
	Regex  *string `json:"Regex,omitempty"`
}

package tokenizer

import (
	"encoding/json"
	"slices"
	"strings"
)

// ggufPre is a pre-tokenizer that GGUF files name in tokenizer.ggml.pre: regexes that cut the text one after
// the other, every match a piece, and then the byte alphabet.
type ggufPre struct {
	names        []string // the first is the one to write
	steps        []string
	ignoreMerges bool
	addBOS       bool // unless tokenizer.ggml.add_bos_token says otherwise
}

// regexDigit cuts numbers into single digits, as the Digits step does.
const regexDigit = `\p{N}`

const (
	regexQwen35 = regexShort + `|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*` + regexTail
	regexHan    = `[一-龥぀-ゟ゠-ヿ]+`
	regexMarks  = "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*" + regexTail
)

// ggufPres lists the names of llama.cpp (src/llama-vocab.cpp) that are understood. Its names for pre-tokenizers with
// code of their own (kimi-k2, afmoe, superbpe, gemma4, ...) and those that no model ft knows uses are
// refused.
var ggufPres = []ggufPre{
	{names: []string{"gpt-2", "phi-2", "gigachat", "a.x-4.0", "mellum", "modern-bert", "mpt", "olmo", "jais", "trillion",
		"granite-docling", "exaone4"},
		steps: []string{regexGPT2}},
	{names: []string{"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b", "mellum2"},
		steps: []string{regexDigit, regexGPT2}},
	{names: []string{"llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2"},
		steps: []string{regexLlama3}, ignoreMerges: true, addBOS: true},
	{names: []string{"dbrx", "smaug-bpe", "glm4", "chatglm-bpe"}, steps: []string{regexLlama3}},
	{names: []string{"qwen2", "deepseek-r1-qwen", "stablelm2", "megrez", "kormo", "hunyuan", "solar-open", "grok-2"},
		steps: []string{regexQwen2}},
	{names: []string{"qwen35"}, steps: []string{regexQwen35}},
	{names: []string{"gpt-4o", "llama4", "kanana2", "minimax-m2"}, steps: []string{regexGPT4o}},
	{names: []string{"tekken"}, steps: []string{regexTekken}, ignoreMerges: true, addBOS: true},
	{names: []string{"deepseek-v3", "hunyuan-dense", "joyai-llm"}, steps: []string{`\p{N}{1,3}`, regexHan, regexMarks}},
	{names: []string{"seed-coder"}, steps: []string{regexShort + `|` + regexWords + `|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+` + regexTail}},
	{names: []string{"default"}, steps: []string{`[\p{P}\$\+<=>\^~\|]+`, regexGPT2, `\p{N}+`, `[0-9][0-9][0-9]`}},
}

// findPre returns the pre-tokenizer of a name in a GGUF file.
func findPre(name string) (ggufPre, bool) {
	for _, p := range ggufPres {
		if slices.Contains(p.names, name) {
			return p, true
		}
	}
	return ggufPre{}, false
}

func knownPres() string {
	var all []string
	for _, p := range ggufPres {
		all = append(all, p.names...)
	}
	return strings.Join(all, ", ")
}

// json is the pre-tokenizer as tokenizer.json has it.
func (p ggufPre) json() json.RawMessage {
	steps := []any{}
	for _, s := range p.steps {
		steps = append(steps, object{"type": "Split", "pattern": object{"Regex": s}, "behavior": "Isolated", "invert": false})
	}
	return mustJSON(object{"type": "Sequence", "pretokenizers": append(steps, byteLevelJSON)})
}

type object map[string]any

var byteLevelJSON = object{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}

// mustJSON marshals a value made of strings, numbers, maps and slices, which cannot fail.
func mustJSON(v any) json.RawMessage {
	data, _ := json.Marshal(v)
	return data
}

// lineEnds spells line ends as the table does; DeepSeek's files have the characters themselves.
var lineEnds = strings.NewReplacer("\r", `\r`, "\n", `\n`)

// byteLevelSteps gives the regexes that a "pre_tokenizer" applies before the byte alphabet; an error names
// what a GGUF file cannot say.
func byteLevelSteps(raw json.RawMessage) ([]string, error) {
	var steps []string
	bytes := false
	var add func(p part) error
	add = func(p part) error {
		if bytes {
			return p.errorf("nothing may follow ByteLevel in a GGUF file")
		}
		var o struct {
			List           []json.RawMessage `json:"pretokenizers"`
			Pattern        textPattern       `json:"pattern"`
			Behavior       string            `json:"behavior"`
			Invert         bool              `json:"invert"`
			Individual     bool              `json:"individual_digits"`
			AddPrefixSpace bool              `json:"add_prefix_space"`
			UseRegex       *bool             `json:"use_regex"`
		}
		if err := json.Unmarshal(p.raw, &o); err != nil {
			return p.errorf("%v", err)
		}
		switch {
		case p.typ == "Sequence":
			return p.each(o.List, "pretokenizers", add)
		case p.typ == "Digits" && o.Individual:
			steps = append(steps, regexDigit)
		case p.typ == "Split" && o.Pattern.Regex != nil && (o.Behavior == "Isolated" && !o.Invert || o.Behavior == "Removed" && o.Invert && scanners[*o.Pattern.Regex] != nil):
			// removing what a regex does not match is the same where it matches everything
			steps = append(steps, lineEnds.Replace(*o.Pattern.Regex))
		case p.typ == "ByteLevel" && !o.AddPrefixSpace:
			bytes = true
			if o.UseRegex == nil || *o.UseRegex {
				steps = append(steps, regexGPT2)
			}
		default:
			return p.errorf("a GGUF file cannot express this step: %s", p.raw)
		}
		return nil
	}
	p, ok, err := openPart(raw, "pre_tokenizer")
	if err == nil && ok {
		err = add(p)
	}
	return steps, err
}

package base_test

import (
	"slices"
	"strings"
	"testing"

	"ft/base"
	"ft/dataset"
)

const (
	chatML = "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>' + '\n' }}{% endfor %}" +
		"{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
	llama2 = "{% for m in messages %}{% if m['role'] == 'user' %}{{ bos_token + '[INST] ' + m['content'].strip() + ' [/INST]' }}" +
		"{% elif m['role'] == 'assistant' %}{{ ' ' + m['content'] + ' ' + eos_token }}{% endif %}{% endfor %}"
	llama3 = "{{- bos_token }}{% for m in messages %}{{- '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n' }}" +
		"{{- m['content'] | trim + '<|eot_id|>' }}{% endfor %}" +
		"{% if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
	gemma = "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}" +
		"{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}" +
		"{% set role = 'model' if m['role'] == 'assistant' else m['role'] %}" +
		"{{ '<start_of_turn>' + role + '\n' + m['content'] | trim + '<end_of_turn>\n' }}{% endfor %}" +
		"{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
	zephyr = "{% for m in messages %}{{ '<|' + m['role'] + '|>\n' + m['content'] + eos_token + '\n' }}{% endfor %}" +
		"{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
	alpaca = "{% for m in messages %}{% if m.role == 'user' %}{{ '### Instruction:\n' + m.content + '\n\n' }}" +
		"{% else %}{{ '### Response:\n' + m.content + '\n\n' }}{% endif %}{% endfor %}" +
		"{% if add_generation_prompt %}{{ '### Response:\n' }}{% endif %}"
)

// style is a base's way to lay out conversations.
type style struct {
	template       string
	tokens         []string // further tokens of the tokenizer
	plain          bool     // they are not called special
	bos, eos       any
	prompt         string // for the question "Hi"
	lead           string // white space between prompt and answer
	end            string
	stops          []string // that end an answer
	otherStop      any      // eos_token_id of generation_config.json
	systemRejected bool
}

var styles = map[string]style{
	"ChatML": {template: chatML, bos: nil, eos: "<|im_end|>",
		prompt: "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n", end: "<|im_end|>", stops: []string{"<|im_end|>"}},
	// The text ends with another token than the turn.
	"ChatML with its own end of text": {template: chatML, eos: "<|endoftext|>",
		prompt: "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n", end: "<|im_end|>", stops: []string{"<|im_end|>", "<|endoftext|>"}},
	"Llama 2": {template: llama2, tokens: []string{"<s>", "</s>"}, bos: "<s>", eos: object{"__type": "AddedToken", "content": "</s>"},
		prompt: "<s>[INST] Hi [/INST]", lead: " ", end: " </s>", stops: []string{"</s>", "<|im_end|>"}},
	"Llama 3": {template: llama3, tokens: []string{"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|begin|>", "<|end_of_text|>"},
		bos: "<|begin|>", eos: "<|end_of_text|>", otherStop: []int{firstFree + 2, firstFree + 4},
		prompt: "<|begin|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
		end:    "<|eot_id|>", stops: []string{"<|eot_id|>", "<|end_of_text|>", "<|im_end|>"}},
	"Gemma": {template: gemma, tokens: []string{"<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"}, bos: "<bos>", eos: "<eos>",
		otherStop: firstFree + 1, prompt: "<bos><start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n", end: "<end_of_turn>",
		stops: []string{"<end_of_turn>", "<eos>", "<|im_end|>"}, systemRejected: true},
	"Zephyr": {template: zephyr, tokens: []string{"</s>"}, eos: "</s>",
		prompt: "<|user|>\nHi</s>\n<|assistant|>\n", end: "</s>", stops: []string{"</s>", "<|im_end|>"}},
	// Nothing but text behind the answer: the end token it is.
	"Alpaca": {template: alpaca, tokens: []string{"</s>"}, eos: "</s>",
		prompt: "### Instruction:\nHi\n\n### Response:\n", end: "</s>", stops: []string{"</s>", "<|im_end|>"}},
	// One token begins as another does.
	"overlapping tokens": {template: strings.ReplaceAll(chatML, "<|im_end|>", "<end><more>"), tokens: []string{"<end", "<end>", "<more>"}, eos: "<more>",
		prompt: "<|im_start|>user\nHi<end><more>\n<|im_start|>assistant\n", end: "<end>", stops: []string{"<end>", "<more>", "<|im_end|>"}},
	// A turn's end that the tokenizer does not call special, but generation_config.json an end.
	"an ordinary token": {template: gemma, tokens: []string{"<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"}, plain: true,
		bos: "<bos>", eos: "<eos>", otherStop: []int{firstFree + 3}, systemRejected: true,
		prompt: "<bos><start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n", end: "<end_of_turn>",
		stops: []string{"<end_of_turn>", "<eos>", "<|im_end|>"}},
}

// open writes a small llama of that style and opens it.
func (s style) open(t *testing.T) *base.Base {
	t.Helper()
	dir := tiny(t)
	addTokens(t, dir, !s.plain, s.tokens...)
	put(t, dir, "chat_template.jinja", nil)
	edit(t, dir, "tokenizer_config.json", object{"chat_template": s.template, "bos_token": s.bos, "eos_token": s.eos})
	if s.otherStop != nil {
		put(t, dir, "generation_config.json", object{"eos_token_id": s.otherStop})
	}
	return open(t, dir)
}

func question(text string) dataset.Row {
	return dataset.Row{ID: "one", Messages: []dataset.Message{{Role: "user", Content: text}}, Answer: "The fox is red."}
}

// TestFormat_styles: the prompt is what the template says, and an answer ends with the token that ends its turn, in the
// labels of training as among the stops of generation.
func TestFormat_styles(t *testing.T) {
	for name, s := range styles {
		t.Run(name, func(t *testing.T) {
			b := s.open(t)
			f, err := b.Format()
			if err != nil {
				t.Fatal(err)
			}
			row := question("Hi")
			prompt, err := f.PromptIDs(row, "")
			if err != nil || b.Tokenizer.Decode(prompt, false) != s.prompt {
				t.Errorf("the prompt is %q (%v), want %q", b.Tokenizer.Decode(prompt, false), err, s.prompt)
			}
			if f.Lead != s.lead {
				t.Errorf("between prompt and answer stands %q, want %q", f.Lead, s.lead)
			}
			if f.End != s.end || f.Finish != nil || f.Begin != nil {
				t.Errorf("an answer ends with %q and %v, want %q; the prompt begins with %v", f.End, f.Finish, s.end, f.Begin)
			}
			var stops []string
			for _, id := range b.Stops(f) {
				text, _ := b.Tokenizer.Token(id)
				stops = append(stops, text)
			}
			slices.Sort(stops)
			if want := slices.Sorted(slices.Values(s.stops)); !slices.Equal(stops, want) {
				t.Errorf("stops %q, want %q", stops, want)
			}
			answerOnly(t, b, f, row, prompt, s.lead, s.end)
			if _, err := f.PromptIDs(row, "Be brief."); (err != nil) != s.systemRejected {
				t.Errorf("with a system message: %v", err)
			}
		})
	}
}

// answerOnly encodes a row for training: labels are the answer and its end, whose last token ends generation.
func answerOnly(t *testing.T, b *base.Base, f dataset.Format, row dataset.Row, prompt []int32, lead, end string) {
	t.Helper()
	samples, err := dataset.Samples(dataset.NewTable(row).View(), dataset.Default(), f, &dataset.Report{})
	if err != nil || len(samples) != 1 {
		t.Fatalf("%d samples (%v)", len(samples), err)
	}
	s := samples[0]
	var labels []int32
	for i, l := range s.Labels {
		switch {
		case i < len(prompt) && (l != dataset.Ignore || s.IDs[i] != prompt[i]):
			t.Errorf("token %d, in the prompt, is %d with label %d, want %d without one", i, s.IDs[i], l, prompt[i])
		case i >= len(prompt):
			labels = append(labels, l)
		}
	}
	if got, want := b.Tokenizer.Decode(labels, false), lead+row.Answer+end; got != want {
		t.Errorf("labels say %q, want %q", got, want)
	}
	if last := labels[len(labels)-1]; !slices.Contains(b.Stops(f), last) {
		t.Errorf("the last label is %d, which no answer would stop at (%v)", last, b.Stops(f))
	}
}

// TestFormat_gguf: a GGUF base talks as its directory does, and stops at its end of turn.
func TestFormat_gguf(t *testing.T) {
	dir := tiny(t)
	ids := addTokens(t, dir, true, "<eot>", "<eom>")
	hf := open(t, dir)
	want, err := hf.Format()
	if err != nil {
		t.Fatal(err)
	}
	g := twin(t, dir)
	g.set("tokenizer.ggml.eot_token_id", uint32(ids["<eot>"]))
	g.set("tokenizer.ggml.eom_token_id", uint64(ids["<eom>"])|1<<32) // beyond any id
	b := open(t, g.write(t))
	f, err := b.Format()
	if err != nil {
		t.Fatal(err)
	}
	a, err1 := want.PromptIDs(question("Hi"), "Be brief.")
	c, err2 := f.PromptIDs(question("Hi"), "Be brief.")
	if err1 != nil || err2 != nil || !slices.Equal(a, c) || f.End != "<|im_end|>" {
		t.Errorf("prompt %v, want %v; ends with %q (%v, %v)", c, a, f.End, err1, err2)
	}
	if got := b.Stops(f); !slices.Equal(got, []int32{2, ids["<eot>"]}) {
		t.Errorf("stops %v", got)
	}
	g.set("tokenizer.chat_template", "")
	b = open(t, g.write(t))
	plain(t, b)
}

// plain fails unless the base lays out conversations plainly.
func plain(t *testing.T, b *base.Base) {
	t.Helper()
	f, err := b.Format()
	if err != nil {
		t.Fatal(err)
	}
	row := question("Hi")
	prompt, err := f.PromptIDs(row, "")
	if text := b.Tokenizer.Decode(prompt, false); err != nil || !strings.HasSuffix(text, "Hi\n") || f.End != "" {
		t.Errorf("prompt %q (%v), an answer ends with %q", text, err, f.End)
	}
	answerOnly(t, b, f, row, prompt, "", b.Chat.EOS)
}

// TestOpen_template: where the template comes from.
func TestOpen_template(t *testing.T) {
	for name, c := range map[string]struct {
		file   any // chat_template.jinja; nil: none
		config any // chat_template of tokenizer_config.json
		want   string
	}{
		"a file":              {"from file {{ messages }}", nil, "from file {{ messages }}"},
		"a string":            {nil, "from config", "from config"},
		"both":                {"from file", "from config", "from file"},
		"an empty file":       {"", "from config", ""},
		"an empty string":     {nil, "", ""},
		"named":               {nil, []object{{"name": "rag", "template": "a"}, {"name": "default", "template": "b"}}, "b"},
		"named, the only one": {nil, []object{{"name": "rag", "template": "a"}}, "a"},
		"no names":            {nil, []object{}, ""},
		"none":                {nil, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := tiny(t)
			put(t, dir, "chat_template.jinja", c.file)
			edit(t, dir, "tokenizer_config.json", object{"chat_template": c.config})
			b := open(t, dir)
			if b.Chat.Source != c.want {
				t.Errorf("template %q, want %q", b.Chat.Source, c.want)
			}
			if c.want == "" {
				plain(t, b)
			}
		})
	}
}

// TestOpen_namedTemplates: of several named templates none of which is the default, one must be chosen; a file chooses.
func TestOpen_namedTemplates(t *testing.T) {
	dir := tiny(t)
	put(t, dir, "chat_template.jinja", nil)
	edit(t, dir, "tokenizer_config.json", object{"chat_template": []object{{"name": "rag", "template": "a"}, {"name": "tool_use", "template": "b"}}})
	if _, err := base.Open(dir, families); err == nil || !strings.Contains(err.Error(), "rag, tool_use none is called default") {
		t.Errorf("error %v", err)
	}
	put(t, dir, "chat_template.jinja", "c")
	if b := open(t, dir); b.Chat.Source != "c" {
		t.Errorf("template %q", b.Chat.Source)
	}
}

// TestOpen_tokens: the texts of the special tokens, and which of them end an answer.
func TestOpen_tokens(t *testing.T) {
	for name, c := range map[string]struct {
		config, tokens, generation object // changes; an empty generation: no such file
		noTokens                   bool   // no tokenizer_config.json
		bos, eos                   string
		stops                      []int32
	}{
		"as it is":          {bos: "<|im_start|>", eos: "<|im_end|>", stops: []int32{2}},
		"objects":           {tokens: object{"bos_token": object{"content": "<|endoftext|>"}, "eos_token": object{"content": "<|im_start|>"}}, bos: "<|endoftext|>", eos: "<|im_start|>", stops: []int32{2, 1}},
		"no bos_token":      {tokens: object{"bos_token": nil}, eos: "<|im_end|>", stops: []int32{2}}, // config.json's id is not for templates
		"no eos_token":      {tokens: object{"eos_token": nil}, bos: "<|im_start|>", eos: "<|im_end|>", stops: []int32{2}},
		"ids alone":         {noTokens: true, bos: "<|im_start|>", eos: "<|im_end|>", stops: []int32{2}},
		"several ends":      {config: object{"eos_token_id": []int{0, 2}}, bos: "<|im_start|>", eos: "<|im_end|>", stops: []int32{0, 2}},
		"several, no text":  {config: object{"eos_token_id": []int{1, 0}}, noTokens: true, bos: "<|im_start|>", eos: "<|im_start|>", stops: []int32{1, 0}},
		"generation: one":   {generation: object{"eos_token_id": 0}, bos: "<|im_start|>", eos: "<|im_end|>", stops: []int32{2, 0}},
		"generation: list":  {generation: object{"eos_token_id": []int{2, 0, 1}}, bos: "<|im_start|>", eos: "<|im_end|>", stops: []int32{2, 0, 1}},
		"generation: null":  {generation: object{"eos_token_id": nil, "top_p": 1}, bos: "<|im_start|>", eos: "<|im_end|>", stops: []int32{2}},
		"generation: wrong": {generation: object{"eos_token_id": []int{-1, 1 << 20}}, bos: "<|im_start|>", eos: "<|im_end|>", stops: []int32{2}},
		"unknown text":      {tokens: object{"eos_token": "</nope>"}, bos: "<|im_start|>", eos: "</nope>", stops: []int32{2}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := tiny(t)
			edit(t, dir, "config.json", c.config)
			edit(t, dir, "tokenizer_config.json", c.tokens)
			if c.noTokens {
				put(t, dir, "tokenizer_config.json", nil)
			}
			if c.generation != nil {
				put(t, dir, "generation_config.json", c.generation)
			}
			b := open(t, dir)
			if b.Chat.BOS != c.bos || b.Chat.EOS != c.eos || !slices.Equal(b.Chat.Stops, c.stops) {
				t.Errorf("%+v, want %q, %q and %v", b.Chat, c.bos, c.eos, c.stops)
			}
		})
	}
}

// TestFormat_plain: BOS if the tokenizer adds one by itself, and the end token behind the answer.
func TestFormat_plain(t *testing.T) {
	dir := tiny(t)
	put(t, dir, "chat_template.jinja", nil)
	f, err := open(t, dir).Format()
	if err != nil || len(f.Begin) != 0 || !slices.Equal(f.Finish, []int32{2}) {
		t.Errorf("begins with %v, ends with %v (%v)", f.Begin, f.Finish, err)
	}
	special := func(text string) object { return object{"SpecialToken": object{"id": text, "type_id": 0}} }
	sequence := func(name string) object { return object{"Sequence": object{"id": name, "type_id": 0}} }
	token := func(text string, id int) object {
		return object{"id": text, "ids": []int{id}, "tokens": []string{text}}
	}
	edit(t, dir, "tokenizer.json", object{"post_processor": object{
		"type":           "TemplateProcessing",
		"single":         []object{special("<|im_start|>"), sequence("A"), special("<|im_end|>")},
		"pair":           []object{sequence("A"), sequence("B")},
		"special_tokens": object{"<|im_start|>": token("<|im_start|>", 1), "<|im_end|>": token("<|im_end|>", 2)},
	}})
	b := open(t, dir)
	f, err = b.Format()
	if err != nil || !slices.Equal(f.Begin, []int32{1}) || !slices.Equal(f.Finish, []int32{2}) {
		t.Errorf("begins with %v, ends with %v (%v)", f.Begin, f.Finish, err)
	}
	ids, err := f.PromptIDs(question("Hi"), "")
	if text := b.Tokenizer.Decode(ids, false); err != nil || text != "<|im_start|>Hi\n" {
		t.Errorf("prompt %q (%v)", text, err)
	}
	plain(t, b)
}

// TestFormat_endAsID: an end token that the tokenizer does not find in text ends an answer by its id, whether the template
// writes it or not.
func TestFormat_endAsID(t *testing.T) {
	for _, template := range []string{alpaca, zephyr} {
		dir := tiny(t)
		put(t, dir, "chat_template.jinja", template)
		// "the" with its space is one token among others: spelled Ġthe, which as text is something else.
		edit(t, dir, "tokenizer_config.json", object{"eos_token": "Ġthe"})
		b := open(t, dir)
		id, _ := b.Tokenizer.ID("Ġthe")
		f, err := b.Format()
		if err != nil || f.End != "" || !slices.Equal(f.Finish, []int32{id}) || !slices.Contains(b.Stops(f), id) {
			t.Errorf("ends with %q and %v, stops %v (%v)", f.End, f.Finish, b.Stops(f), err)
		}
	}
}

func TestFormat_refused(t *testing.T) {
	for want, c := range map[string]struct {
		template string
		noEnd    bool
	}{
		"chat template: ":                             {"{% for m in messages %}", false},
		"it leaves the answer out":                    {"{{ messages[0].content }}", false},
		"never mind":                                  {"{{ raise_exception('never mind') }}", false},
		"no special token ends the answer":            {alpaca, true},
		"neither a chat template nor an end token":    {"", true},
		"chat template: it leaves the answer out of ": {" \n ", false},
	} {
		dir := tiny(t)
		put(t, dir, "chat_template.jinja", c.template)
		if c.noEnd {
			edit(t, dir, "tokenizer_config.json", object{"eos_token": nil})
			edit(t, dir, "config.json", object{"eos_token_id": nil})
		}
		if _, err := open(t, dir).Format(); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), dir) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// TestUseTemplate: another template takes the base's place, and none is the plain layout.
func TestUseTemplate(t *testing.T) {
	b := open(t, tiny(t))
	for template, want := range map[string]string{
		alpaca: "### Instruction:\nHi\n\n### Response:\n",
		chatML: "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n",
		"":     "Hi\n",
	} {
		b.UseTemplate(template)
		f, err := b.Format()
		if err != nil {
			t.Fatal(err)
		}
		ids, err := f.PromptIDs(question("Hi"), "")
		if got := b.Tokenizer.Decode(ids, false); err != nil || got != want || b.Chat.Source != template {
			t.Errorf("prompt %q (%v), want %q", got, err, want)
		}
		if !slices.Contains(f.Special, "<|im_end|>") || len(f.Special) != 3 {
			t.Errorf("special tokens %q", f.Special)
		}
	}
}

package base

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"ft/dataset"
	"ft/model"
	"ft/tokenizer/chat"
)

// Chat is how the base lays out a conversation, and which tokens end an answer.
type Chat struct {
	Source string // the chat template's Jinja source; empty: the plain layout
	BOS    string // text of the token that begins a text; empty if there is none
	EOS    string // text of the token that ends one
	Stops  []int32
}

// tokenText is a special token in tokenizer_config.json: a string, or an object with its content.
type tokenText string

func (t *tokenText) UnmarshalJSON(b []byte) error {
	var s *string
	if json.Unmarshal(b, &s) == nil {
		if s != nil {
			*t = tokenText(*s)
		}
		return nil
	}
	var o struct {
		Content string `json:"content"`
	}
	if err := json.Unmarshal(b, &o); err != nil {
		return err
	}
	*t = tokenText(o.Content)
	return nil
}

// templates is the chat_template of tokenizer_config.json: one, or a list of named ones.
type templates struct {
	source string
	names  []string // of named ones, if none of them is the one to use
}

func (t *templates) UnmarshalJSON(b []byte) error {
	var s *string
	if json.Unmarshal(b, &s) == nil {
		if s != nil {
			t.source = *s
		}
		return nil
	}
	var named []struct {
		Name     string `json:"name"`
		Template string `json:"template"`
	}
	if err := json.Unmarshal(b, &named); err != nil {
		return fmt.Errorf("chat_template: expected a string or a list of named templates")
	}
	for _, n := range named {
		if n.Name == "default" || len(named) == 1 {
			*t = templates{source: n.Template}
			break
		}
		t.names = append(t.names, n.Name)
	}
	return nil
}

func (b *Base) chatFromDir(spec *model.Spec) error {
	var c struct {
		Template templates `json:"chat_template"`
		BOS      tokenText `json:"bos_token"`
		EOS      tokenText `json:"eos_token"`
	}
	data, err := b.optional("tokenizer_config.json")
	if err != nil {
		return err
	}
	if data != nil {
		if err := json.Unmarshal(data, &c); err != nil {
			return fmt.Errorf("tokenizer_config.json: %w", err)
		}
	}
	jinja, err := b.optional("chat_template.jinja")
	if err != nil {
		return err
	}
	b.Chat = Chat{Source: c.Template.source, BOS: string(c.BOS), EOS: string(c.EOS)}
	if jinja != nil {
		b.Chat.Source = string(jinja)
	} else if names := c.Template.names; names != nil {
		return fmt.Errorf("tokenizer_config.json: of the chat templates %s none is called default; put the one to use into chat_template.jinja", strings.Join(names, ", "))
	}
	stops, err := b.generationStops()
	if err != nil {
		return err
	}
	if data == nil { // else no bos_token means that templates see none
		b.Chat.BOS = b.token(spec.BOS)
	}
	b.finishChat(spec, stops)
	return nil
}

// generationStops reads the ids at which generation_config.json says that an answer ends.
func (b *Base) generationStops() ([]int32, error) {
	data, err := b.optional("generation_config.json")
	if data == nil || err != nil {
		return nil, err
	}
	var g struct {
		EOS model.TokenIDs `json:"eos_token_id"`
	}
	if err := json.Unmarshal(data, &g); err != nil {
		return nil, fmt.Errorf("generation_config.json: %w", err)
	}
	return g.EOS, nil
}

func (b *Base) chatFromGGUF(spec *model.Spec) error {
	if key := "tokenizer.chat_template"; b.GGUF.Has(key) {
		source, err := b.GGUF.String(key)
		if err != nil {
			return err
		}
		b.Chat.Source = source
	}
	var stops []int32
	for _, key := range []string{"tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"} {
		if !b.GGUF.Has(key) {
			continue
		}
		id, err := b.GGUF.Uint(key)
		if err != nil {
			return err
		}
		if id < uint64(spec.Vocab) {
			stops = append(stops, int32(id))
		}
	}
	b.Chat.BOS = b.token(spec.BOS)
	b.finishChat(spec, stops)
	return nil
}

// token is the text of a token; empty if there is none of that id.
func (b *Base) token(id int32) string {
	if b.Tokenizer == nil {
		return ""
	}
	s, _ := b.Tokenizer.Token(id)
	return s
}

// finishChat fills in the end token's text from its id, and all ids that end an answer.
func (b *Base) finishChat(spec *model.Spec, stops []int32) {
	c := &b.Chat
	if c.EOS == "" && len(spec.EOS) > 0 {
		c.EOS = b.token(spec.EOS[0])
	}
	stops = slices.Concat(spec.EOS, stops)
	if id, ok := b.endToken(); ok {
		stops = append(stops, id)
	}
	for _, id := range stops {
		if id >= 0 && int(id) < spec.Vocab && !slices.Contains(c.Stops, id) {
			c.Stops = append(c.Stops, id)
		}
	}
}

// endToken is the id of the token that ends a text.
func (b *Base) endToken() (int32, bool) {
	if b.Tokenizer == nil || b.Chat.EOS == "" {
		return 0, false
	}
	return b.Tokenizer.ID(b.Chat.EOS)
}

// UseTemplate makes the base lay out conversations by another template, such as the one stored with an adapter;
// an empty source is the plain layout.
func (b *Base) UseTemplate(source string) { b.Chat.Source = source }

// Format says how a conversation becomes tokens under the base's template, and Stops which tokens end an answer.
func (b *Base) Format() (dataset.Format, error) {
	if b.Tokenizer == nil {
		return dataset.Format{}, fmt.Errorf("base: %s: no tokenizer.json", b.Path)
	}
	f, err := b.layout()
	if err != nil {
		return f, err
	}
	return f, b.checkFormat(f)
}

// checkFormat lays out a question and refuses tokens that the model has no embedding for: every row would fail.
func (b *Base) checkFormat(f dataset.Format) error {
	text, err := f.Prompt([]dataset.Message{{Role: "user", Content: "a"}}, nil)
	if err != nil {
		return fmt.Errorf("base: %s: chat template: %w", b.Path, err)
	}
	for _, id := range slices.Concat(f.Begin, f.Encoder.Encode(text+f.End, false), f.Finish) {
		if int(id) >= b.Model.Spec.Vocab {
			return fmt.Errorf("base: %s: a conversation needs token %q with id %d, the model's vocabulary has %d tokens",
				b.Path, b.token(id), id, b.Model.Spec.Vocab)
		}
	}
	return nil
}

func (b *Base) layout() (dataset.Format, error) {
	f := dataset.Format{Encoder: b.Tokenizer, Special: b.specialTexts(), TextBegin: b.textBegin()}
	if id, ok := b.endToken(); ok {
		f.TextEnd = []int32{id}
	}
	if b.Chat.Source == "" {
		return b.plainFormat(f)
	}
	t, err := chat.Parse(b.Chat.Source, chat.Options{BOS: b.Chat.BOS, EOS: b.Chat.EOS})
	if err != nil {
		return f, fmt.Errorf("base: %s: chat template: %w", b.Path, err)
	}
	f.Prompt = func(turns []dataset.Message, tools json.RawMessage) (string, error) {
		return render(t, turns, tools, true)
	}
	f.Whole = func(turns []dataset.Message, tools json.RawMessage) (string, error) {
		return render(t, turns, tools, false)
	}
	between, behind, err := around(t)
	if strings.TrimSpace(between) == "" {
		f.Lead = between
	} else {
		f.Preface = between
	}
	if err == nil {
		f.Behind = behind
		f.End, f.Finish, err = b.endOfTurn(behind, f.Special)
	}
	if err != nil {
		return f, fmt.Errorf("base: %s: chat template: %w", b.Path, err)
	}
	return f, nil
}

// plainFormat is question, newline, answer, end token, with the BOS that the tokenizer itself would add.
func (b *Base) plainFormat(f dataset.Format) (dataset.Format, error) {
	f.Prompt = dataset.Plain
	f.Begin = f.TextBegin
	id, ok := b.endToken()
	if !ok {
		return f, fmt.Errorf("base: %s: the model has neither a chat template nor an end token (eos_token), so an answer could not end", b.Path)
	}
	f.Finish = []int32{id}
	return f, nil
}

// textBegin are the ids that the tokenizer itself puts in front of a text.
func (b *Base) textBegin() []int32 {
	bare, full := b.Tokenizer.Encode("a", false), b.Tokenizer.Encode("a", true)
	for i := 0; i+len(bare) <= len(full); i++ {
		if slices.Equal(full[i:i+len(bare)], bare) {
			return full[:i]
		}
	}
	return nil
}

// around renders one question with a marked answer, and returns what the template puts between the prompt and the answer, such as " " after
// "[/INST]" or an empty thought, and all that it puts behind the answer.
func around(t *chat.Template) (between, behind string, err error) {
	const answer = "x1y2z3"
	question := chat.Message{Role: "user", Content: "a"}
	prompt, err := t.Render([]chat.Message{question}, true)
	if err != nil {
		return "", "", err
	}
	whole, err := t.Render([]chat.Message{question, {Role: "assistant", Content: answer}}, false)
	if err != nil {
		return "", "", err
	}
	at := strings.LastIndex(whole, answer)
	if at < 0 {
		return "", "", fmt.Errorf("it leaves the answer out of the conversation")
	}
	between, _ = strings.CutPrefix(whole[:at], prompt)
	if !strings.HasPrefix(whole, prompt) {
		between = ""
	}
	return between, whole[at+len(answer):], nil
}

// endOfTurn is what ends an answer's turn: the text that the template puts behind it, up to and including the first
// of the special texts; without one, the end token, as text if the tokenizer reads it so, else as ids.
func (b *Base) endOfTurn(behind string, special []string) (text string, ids []int32, err error) {
	first, end := len(behind), ""
	for _, s := range special {
		if i := strings.Index(behind, s); i >= 0 && (i < first || i == first && len(s) > len(end)) {
			first, end = i, s
		}
	}
	if end != "" {
		return behind[:first] + end, nil, nil
	}
	id, ok := b.endToken()
	if !ok {
		return "", nil, fmt.Errorf("no special token ends the answer, and the model names no end token (eos_token)")
	}
	if b.reads(b.Chat.EOS, id) {
		return b.Chat.EOS, nil, nil
	}
	return "", []int32{id}, nil
}

// Stops are the tokens that end a generated answer under the present template.
func (b *Base) Stops(f dataset.Format) []int32 {
	stops := slices.Clone(b.Chat.Stops)
	if f.Encoder == nil { // a base without a tokenizer
		return stops
	}
	if ids := f.Encoder.Encode(f.End, false); len(ids) > 0 {
		if last := ids[len(ids)-1]; !slices.Contains(stops, last) {
			stops = append(stops, last)
		}
	}
	return stops
}

// specialTexts are the special tokens, and those that end an answer even if the tokenizer does not call them special.
func (b *Base) specialTexts() []string {
	var out []string
	for id := range int32(b.Tokenizer.Size()) {
		if s := b.token(id); s != "" && (b.Tokenizer.IsSpecial(id) || slices.Contains(b.Chat.Stops, id) && b.reads(s, id)) {
			out = append(out, s)
		}
	}
	return out
}

// reads reports whether the tokenizer reads a token's text as that one token.
func (b *Base) reads(text string, id int32) bool {
	return slices.Equal(b.Tokenizer.Encode(text, false), []int32{id})
}

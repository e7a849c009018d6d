package lora

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"ft/internal/kernels"
	"ft/nn"
	"ft/peft"
)

// Tokens are tokens of a config, each an id or a text that is one token.
type Tokens []Token

// Token is an id, or a text if Text is not empty.
type Token struct {
	ID   int32
	Text string
}

// UnmarshalYAML reads a number or a text.
func (t *Token) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode && node.ShortTag() == "!!int" {
		*t = Token{}
		return node.Decode(&t.ID)
	}
	if node.Kind == yaml.ScalarNode && node.ShortTag() == "!!str" && node.Value != "" {
		*t = Token{Text: node.Value}
		return nil
	}
	return fmt.Errorf("line %d: must be a token's id or its text", node.Line)
}

// MarshalYAML writes what UnmarshalYAML reads.
func (t Token) MarshalYAML() (any, error) {
	if t.Text != "" {
		return t.Text, nil
	}
	return t.ID, nil
}

// addTokens works out the ids of the config's tokens.
func (m Method) addTokens(s *settings, h peft.Host) error {
	for _, set := range []struct {
		key, module string
		tokens      Tokens
	}{{"tokens", h.Stack().Embed.Name, m.Config.Tokens}, {"head_tokens", h.Stack().Head.Name, m.Config.HeadTokens}} {
		if len(set.tokens) == 0 {
			continue
		}
		ids := make([]int32, len(set.tokens))
		for i, t := range set.tokens {
			id, err := m.tokenID(t)
			if err != nil {
				return fmt.Errorf("%s: %w", set.key, err)
			}
			ids[i] = id
		}
		if err := checkIDs(ids, h.Stack().Embed.Table().Rows); err != nil {
			return fmt.Errorf("%s: %w", set.key, err)
		}
		s.tokens = append(s.tokens, tokenSet{module: set.module, ids: ids})
	}
	s.tokensListed = len(s.tokens) == 1 && len(m.Config.Tokens) > 0
	return nil
}

func (m Method) tokenID(t Token) (int32, error) {
	if t.Text == "" {
		return t.ID, nil
	}
	if m.encode == nil {
		return 0, fmt.Errorf("%q is a text, and the base has no tokenizer; give the token's id", t.Text)
	}
	ids := m.encode(t.Text)
	if len(ids) != 1 {
		return 0, fmt.Errorf("%q is %d tokens, not one", t.Text, len(ids))
	}
	return ids[0], nil
}

// checkIDs refuses ids that the vocabulary lacks or that are there twice.
func checkIDs(ids []int32, vocab int) error {
	seen := map[int32]bool{}
	for _, id := range ids {
		if id < 0 || int(id) >= vocab {
			return fmt.Errorf("there is no token %d; the vocabulary has %d", id, vocab)
		}
		if seen[id] {
			return fmt.Errorf("token %d is there twice", id)
		}
		seen[id] = true
	}
	return nil
}

// rows are trained rows of the embedding's or the head's weight.
type rows struct {
	module string
	table  *kernels.Matrix
	ids    []int32
	value  *nn.Param // [n,D]
	slots  []func(ids []int32, rows *nn.Param)
}

// addRows makes the trained rows. As in PEFT, a head that shares the embedding's weight has the same rows, unless it is given others.
func (a *adapter) addRows(h peft.Host) error {
	s, embed, head := &a.settings, h.Stack().Embed, h.Stack().Head
	sets := map[string][]int32{}
	for _, set := range s.tokens {
		path := ""
		for _, p := range []string{embed.Name, head.Name} {
			if strings.HasSuffix(p, set.module) {
				path = p
			}
		}
		if path == "" {
			return fmt.Errorf("trainable_token_indices: %q is neither the embedding %q nor the head %q", set.module, embed.Name, head.Name)
		}
		if slices.ContainsFunc(a.parts, func(p part) bool { return p.path() == path }) {
			return fmt.Errorf("tokens: %q is trained in another way already: it is a target or in save_modules", path)
		}
		if err := checkIDs(set.ids, embed.Table().Rows); err != nil {
			return fmt.Errorf("trainable_token_indices: %s: %w", path, err)
		}
		sets[path] = set.ids
	}
	ofEmbed, ofHead := sets[embed.Name], sets[head.Name]
	follows := head.Tied && len(ofEmbed) > 0 && (len(ofHead) == 0 || slices.Equal(ofEmbed, ofHead))
	if s.tie && head.Tied && len(ofEmbed) > 0 && !follows {
		return fmt.Errorf("ensure_weight_tying: the tokens of embedding and head, which share a weight, differ")
	}
	if follows && slices.ContainsFunc(a.parts, func(p part) bool { return p.path() == head.Name }) {
		return fmt.Errorf("tokens: the head %q follows the embedding's rows, and is trained in another way already: it is a target or in save_modules", head.Name)
	}
	add := func(path string, ids []int32, slots ...func([]int32, *nn.Param)) {
		if len(ids) > 0 {
			name := path + ".token_adapter.trainable_tokens_delta"
			table := embed.Table()
			if path == head.Name {
				table = head.Weight()
			}
			a.parts = append(a.parts, &rows{module: path, table: table, ids: ids, value: nn.NewParam(name, len(ids), table.Cols), slots: slots})
		}
	}
	if follows {
		add(embed.Name, ofEmbed, embed.SetRows, head.SetRows)
		return nil
	}
	add(embed.Name, ofEmbed, embed.SetRows)
	add(head.Name, ofHead, head.SetRows)
	return nil
}

func (r *rows) path() string        { return r.module }
func (r *rows) tensors() []string   { return []string{r.module + endWeight} }
func (r *rows) params() []*nn.Param { return []*nn.Param{r.value} }
func (r *rows) followed() bool      { return len(r.slots) > 1 }

// start copies the base's rows.
func (r *rows) start(string, uint64) {
	d := r.table.Cols
	for i, id := range r.ids {
		r.table.Row(r.value.Data[i*d:(i+1)*d], int(id))
	}
}

func (r *rows) fill(*nn.Stack) {
	for _, set := range r.slots {
		set(r.ids, r.value)
	}
}

func (r *rows) merge(_ string, w []float32, out, in int) error {
	if err := peft.Sized(w, out, in, r.table.Rows, r.table.Cols); err != nil {
		return err
	}
	for i, id := range r.ids {
		copy(w[int(id)*in:(int(id)+1)*in], r.value.Data[i*in:(i+1)*in])
	}
	return nil
}

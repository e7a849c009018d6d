package prompttuning

import (
	"fmt"
	"slices"
	"strings"

	"ft/internal/keyed"
	"ft/nn"
	"ft/peft"
)

// Method puts fresh soft prompts on base models.
type Method struct {
	Config Config
	Seed   uint64 // keys the random start
	// Encode gives the ids of a text, as the base's tokenizer reads it, special tokens included. Only init: text needs it.
	Encode func(text string) []int32
}

// Tokenized is the method with a base's tokenizer.
func (m Method) Tokenized(encode func(text string) []int32) peft.Method {
	m.Encode = encode
	return m
}

// Attach puts the virtual positions in front of every sequence. It returns an error, and leaves the base as it was, when the settings are
// out of bounds or leave no room for text.
func (m Method) Attach(h peft.Host) (peft.Adapter, error) {
	if err := m.Config.Validate(); err != nil {
		return nil, fmt.Errorf("prompttuning: %w", err)
	}
	if err := checkRoom(h, m.Config.VirtualTokens()); err != nil {
		return nil, fmt.Errorf("prompttuning: tokens: %w", err)
	}
	a, err := m.Config.start(m, sizesOf(h.Stack()))
	if err != nil {
		return nil, fmt.Errorf("prompttuning: %w", err)
	}
	a.fill(h.Stack())
	return a, nil
}

// checkRoom refuses a prompt that leaves no room for text, on bases that say how much they have.
func checkRoom(h peft.Host, tokens int) error {
	if b, ok := h.(interface{ Room() int }); ok && tokens >= b.Room() {
		return fmt.Errorf("the prompt of %d virtual tokens is longer than the context: the model has %d positions, and text needs some", tokens, b.Room())
	}
	return nil
}

// sizes are what the shape of a soft prompt depends on.
type sizes struct {
	stack                          *nn.Stack
	dim, layers                    int
	heads, kvHeads, headDim, vocab int
}

func sizesOf(s *nn.Stack) sizes {
	z := sizes{stack: s, dim: s.Embed.Table().Cols, vocab: s.Embed.Table().Rows, layers: len(s.Blocks)}
	z.heads, z.kvHeads, z.headDim = s.Blocks[0].Heads()
	return z
}

// keyWidth is the number of values of a key of all heads.
func (s sizes) keyWidth() int { return s.kvHeads * s.headDim }

// adapter is a soft prompt on a base.
type adapter struct {
	file    file
	prefix  bool      // prompt is keys and values, not embeddings
	prompt  *nn.Param // [tokens,·] in the base's slot
	encoder *encoder  // makes prompt; or nil
}

// tensorName is the prompt's name in files of PEFT, which has no module path.
const tensorName = "prompt_embeddings"

// newAdapter makes an adapter with a zero prompt.
func newAdapter(f file, s sizes) *adapter {
	a := &adapter{file: f, prefix: f.peftType == typePrefix}
	a.prompt = nn.NewParam(tensorName, f.Tokens, f.width(s))
	return a
}

// fill puts the prompt into its slot.
func (a *adapter) fill(s *nn.Stack) {
	if a.prefix {
		s.SetPrefix(a.prompt)
	} else {
		s.SetPrompt(a.prompt)
	}
	if a.encoder != nil {
		s.Derive(a.encoder)
	}
}

// Params are those of the network that makes the prompt, if there is one, else the prompt.
func (a *adapter) Params() []*nn.Param {
	if a.encoder != nil {
		return a.encoder.params()
	}
	return []*nn.Param{a.prompt}
}

// Targets is empty: a soft prompt changes no module of the base.
func (a *adapter) Targets() []string { return nil }

// Merge changes no tensor.
func (a *adapter) Merge(string, []float32, int, int) (bool, error) { return false, nil }

// CannotMerge says why no merge can put the adapter into the base's weights, and what to do instead.
func (a *adapter) CannotMerge() error {
	return fmt.Errorf("a soft prompt (%s) cannot be merged: it stands in front of the text and changes none of the base's weights, so neither a model nor a GGUF can hold it. "+
		"Use base and adapter together: ft generate --adapter", a.file.peftType)
}

// State is the prompt in PEFT's terms, made by its network if it has one.
func (a *adapter) State() (peft.State, error) {
	if a.encoder != nil {
		a.encoder.Forward()
	}
	return peft.State{Type: a.file.peftType, Config: a.file.keys(), Params: []*nn.Param{a.prompt}}, nil
}

func (c Prompt) start(m Method, s sizes) (*adapter, error) {
	a := newAdapter(fileOf(typePrompt, c.Tokens, s), s)
	a.file.Init = map[string]string{initVocab: "SAMPLE_VOCAB"}[c.Init]
	if a.file.Init == "" {
		// Where a file says TEXT, PEFT asks for the tokenizer too, which ft may have had from a GGUF.
		a.file.Init = "RANDOM"
	}
	switch c.Init {
	case initRandom:
		fillNormal(a.prompt.Data, m.Seed, tensorName)
	case initVocab:
		ids := make([]int32, c.Tokens)
		draw := newDraw(m.Seed, tensorName)
		for i := range ids {
			ids[i] = int32(draw.unit() * float64(s.vocab))
		}
		copyRows(a.prompt, s, ids)
	case initText:
		ids, err := m.textIDs(c, s)
		if err != nil {
			return nil, err
		}
		copyRows(a.prompt, s, ids)
	}
	return a, nil
}

// textIDs are the tokens of the text, repeated or cut to the prompt's.
func (m Method) textIDs(c Prompt, s sizes) ([]int32, error) {
	if m.Encode == nil {
		return nil, fmt.Errorf("init: text needs the base's tokenizer, and it has none; use init: vocab")
	}
	ids := m.Encode(c.Text)
	if len(ids) == 0 {
		return nil, fmt.Errorf("text: %q has no tokens", c.Text)
	}
	for _, id := range ids {
		if id < 0 || int(id) >= s.vocab {
			return nil, fmt.Errorf("text: token %d of %q has no row in the model's embedding of %d", id, c.Text, s.vocab)
		}
	}
	return slices.Repeat(ids, (c.Tokens+len(ids)-1)/len(ids))[:c.Tokens], nil
}

// copyRows makes the prompt of tokens' embeddings.
func copyRows(p *nn.Param, s sizes, ids []int32) {
	for i, id := range ids {
		s.stack.Embed.Row(p.Data[i*s.dim:(i+1)*s.dim], id)
	}
}

func (c Prefix) start(m Method, s sizes) (*adapter, error) {
	f := fileOf(typePrefix, c.Tokens, s)
	f.Projection = c.Projection
	if c.Hidden > 0 {
		f.Hidden = c.Hidden
	}
	a := newAdapter(f, s)
	if !c.Projection {
		fillNormal(a.prompt.Data, m.Seed, tensorName)
		return a, nil
	}
	a.encoder = newEncoder(a.prompt, s.keyWidth(), tanh)
	a.encoder.add("transform.0", f.Hidden)
	a.encoder.add("transform.2", a.prompt.Shape[1])
	a.encoder.begin(m.Seed)
	return a, nil
}

func (c PTuning) start(m Method, s sizes) (*adapter, error) {
	f := fileOf(typePTuning, c.Tokens, s)
	f.Encoder, f.Layers = strings.ToUpper(c.Encoder), c.Layers
	if c.Hidden > 0 {
		f.Hidden = c.Hidden
	}
	a := newAdapter(f, s)
	a.encoder = newEncoder(a.prompt, s.dim, relu)
	if c.Encoder == encoderLSTM {
		a.encoder.addLSTM("lstm_head", c.Layers, f.Hidden)
		a.encoder.add("mlp_head.0", 2*f.Hidden)
		a.encoder.add("mlp_head.2", s.dim)
	} else {
		a.encoder.add("mlp_head.0", f.Hidden)
		a.encoder.add("mlp_head.2", f.Hidden)
		a.encoder.add("mlp_head.4", s.dim)
	}
	a.encoder.begin(m.Seed)
	return a, nil
}

// draw is a stream of random numbers that depends on a seed and a name alone. It is not PyTorch's.
type draw struct{ key uint64 }

func newDraw(seed uint64, name string) *draw {
	return &draw{keyed.Mix(keyed.Mix(seed+keyed.Increment) ^ keyed.Name(name))}
}

// unit is the next number, between 0 and 1.
func (d *draw) unit() float64 {
	d.key += keyed.Increment
	return (float64(keyed.Mix(d.key)>>11) + 0.5) / (1 << 53)
}

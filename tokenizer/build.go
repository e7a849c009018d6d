package tokenizer

import "fmt"

// build makes the tokenizer s describes. size is the length of the file in bytes, which bounds the ids:
// a token takes more than one byte, so an id beyond it is damage and not worth a table that long.
func build(s spec, size int) (*Tokenizer, error) {
	if err := checkModelType(s.Model.Type); err != nil {
		return nil, err
	}
	if s.Model.Vocab.ids == nil {
		return nil, fmt.Errorf("model.vocab is missing")
	}
	t := &Tokenizer{vocab: s.Model.Vocab.ids}
	top := int32(-1)
	for tok, id := range t.vocab {
		if id < 0 || int(id) >= size {
			return nil, fmt.Errorf("model.vocab: token %q has id %d, in a file of %d bytes", tok, id, size)
		}
		top = max(top, id)
	}
	t.grow(top)
	for tok, id := range t.vocab {
		if t.known[id] {
			return nil, fmt.Errorf("model.vocab: %q and %q have the same id %d", t.tokens[id], tok, id)
		}
		t.tokens[id], t.known[id] = tok, true
	}
	var err error
	if t.norm, err = newNormalizer(s.Normalizer); err != nil {
		return nil, err
	}
	pre, err := newPreTokenizer(s.PreTokenizer)
	if err != nil {
		return nil, err
	}
	if err := t.addModel(&s.Model, &pre); err != nil {
		return nil, err
	}
	t.pre = pre.list
	if t.decode, err = newDecoder(s.Decoder); err != nil {
		return nil, err
	}
	post, err := newPostIDs(s.PostProcessor)
	if err != nil {
		return nil, err
	}
	t.addTokens(s.Added)
	t.prefix, t.suffix = post.prefix, post.suffix
	for _, id := range append(append([]int32{}, t.prefix...), t.suffix...) {
		if !t.has(id) {
			return nil, fmt.Errorf("post_processor: id %d is not in the vocabulary", id)
		}
	}
	t.spec = s
	return t, nil
}

// addModel builds the model; one that does not work on bytes gets the byte alphabet spelled out before it.
func (t *Tokenizer) addModel(s *modelSpec, pre *preBuilder) error {
	if (s.Type == modelUnigram) != (s.Vocab.pieces != nil) {
		return fmt.Errorf("model.vocab: a Unigram model has a list of tokens and scores, a BPE model an object of tokens and ids")
	}
	if s.Type == modelUnigram {
		u, err := newUnigram(s)
		t.model = u
		pre.settle()
		return err
	}
	b, err := newBPE(s, pre.bytes)
	if err != nil {
		return err
	}
	if !b.bytes {
		pre.settle()
	}
	t.model, t.bpe = b, b
	return nil
}

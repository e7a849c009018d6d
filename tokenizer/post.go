package tokenizer

import "encoding/json"

const havePostProcessors = "Sequence, TemplateProcessing, ByteLevel, BertProcessing, RobertaProcessing"

// postIDs reads from a "post_processor" which ids go before and after the text. Offsets, which some
// steps trim, do not concern ids.
type postIDs struct{ prefix, suffix []int32 }

func newPostIDs(raw json.RawMessage) (postIDs, error) {
	var ids postIDs
	p, ok, err := openPart(raw, "post_processor")
	if err == nil && ok {
		err = ids.add(p)
	}
	return ids, err
}

func (ids *postIDs) wrap(prefix, suffix []int32) {
	ids.prefix = append(prefix, ids.prefix...)
	ids.suffix = append(ids.suffix, suffix...)
}

func (ids *postIDs) add(p part) error {
	switch p.typ {
	case "Sequence":
		var o struct {
			partType
			Processors []json.RawMessage `json:"processors"`
		}
		if err := p.options(&o); err != nil {
			return err
		}
		return p.each(o.Processors, "processors", ids.add)
	case "ByteLevel":
		var o struct {
			partType
			AddPrefixSpace *bool `json:"add_prefix_space"`
			TrimOffsets    *bool `json:"trim_offsets"`
			UseRegex       *bool `json:"use_regex"`
		}
		return p.options(&o)
	case "BertProcessing", "RobertaProcessing":
		var o struct {
			partType
			Sep            tokenAndID `json:"sep"`
			Cls            tokenAndID `json:"cls"`
			TrimOffsets    *bool      `json:"trim_offsets"`
			AddPrefixSpace *bool      `json:"add_prefix_space"`
		}
		if err := p.options(&o); err != nil {
			return err
		}
		ids.wrap([]int32{o.Cls.id}, []int32{o.Sep.id})
		return nil
	case "TemplateProcessing":
		return ids.addTemplate(p)
	}
	return p.unsupported(havePostProcessors)
}

// tokenAndID is a pair such as ["</s>", 2].
type tokenAndID struct{ id int32 }

// UnmarshalJSON reads the pair.
func (t *tokenAndID) UnmarshalJSON(data []byte) error {
	var token string
	return json.Unmarshal(data, &[]any{&token, &t.id})
}

// templatePiece is an element of a template: a special token or the text.
type templatePiece struct {
	SpecialToken *templateRef `json:"SpecialToken,omitempty"`
	Sequence     *templateRef `json:"Sequence,omitempty"`
}

type templateRef struct {
	ID     string `json:"id"`
	TypeID int    `json:"type_id"`
}

// templateToken says what ids a special token of a template stands for.
type templateToken struct {
	ID     string   `json:"id"`
	IDs    []int32  `json:"ids"`
	Tokens []string `json:"tokens"`
}

// template is a TemplateProcessing step. Pairs of texts are not encoded here, so "pair" is only kept.
type template struct {
	partType
	Single        []templatePiece          `json:"single"`
	Pair          json.RawMessage          `json:"pair"`
	SpecialTokens map[string]templateToken `json:"special_tokens"`
}

func (ids *postIDs) addTemplate(p part) error {
	var o template
	if err := p.options(&o); err != nil {
		return err
	}
	var prefix, suffix []int32
	texts := 0
	for i, piece := range o.Single {
		switch {
		case piece.SpecialToken != nil:
			tok, ok := o.SpecialTokens[piece.SpecialToken.ID]
			if !ok {
				return p.errorf("single[%d]: %q is not among special_tokens", i, piece.SpecialToken.ID)
			}
			if texts == 0 {
				prefix = append(prefix, tok.IDs...)
			} else {
				suffix = append(suffix, tok.IDs...)
			}
		case piece.Sequence != nil && piece.Sequence.ID == "A":
			texts++
		default:
			return p.errorf("single[%d] is neither a special token nor the text A", i)
		}
	}
	if texts != 1 {
		return p.errorf("single has the text %d times, not once", texts)
	}
	ids.wrap(prefix, suffix)
	return nil
}

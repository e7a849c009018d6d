package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// addedTokens holds the tokens that are cut out of the text before the model sees it.
type addedTokens struct {
	raw        matcher          // those that match the text as written
	normalized matcher          // those that match the normalized text
	ids        map[string]int32 // by content as written
	special    map[string]bool  // contents of the special ones
	normForm   map[int32]string // normalized content where it differs: what decoders get to see
}

// matcher finds added tokens in a text, leftmost first, the longest of those that start there.
type matcher struct {
	list   []addedToken
	starts [256]bool        // bytes some token starts with
	next   map[uint64]int32 // node<<8|byte → node; node 0 is the root
	ends   []int32          // node → 1 + index into list, 0 = no token ends here
}

func (m *matcher) add(pattern string, tok addedToken) {
	if pattern == "" {
		return
	}
	if m.next == nil {
		m.next = map[uint64]int32{}
		m.ends = []int32{0}
	}
	m.starts[pattern[0]] = true
	node := int32(0)
	for i := range len(pattern) {
		key := uint64(node)<<8 | uint64(pattern[i])
		n, ok := m.next[key]
		if !ok {
			n = int32(len(m.ends))
			m.ends = append(m.ends, 0)
			m.next[key] = n
		}
		node = n
	}
	m.list = append(m.list, tok)
	m.ends[node] = int32(len(m.list))
}

// longest returns the longest token at the start of s, as an index into list, and its length; -1 if none.
func (m *matcher) longest(s string) (index, length int) {
	index = -1
	node := int32(0)
	for i := range len(s) {
		n, ok := m.next[uint64(node)<<8|uint64(s[i])]
		if !ok {
			break
		}
		node = n
		if e := m.ends[node]; e > 0 {
			index, length = int(e)-1, i+1
		}
	}
	return index, length
}

// split calls yield for every stretch of s in order: id ≥ 0 for an added token, -1 for the text between.
// A token that is rejected because it must be a word of its own is not tried again at a shorter
// length, which is what the reference does.
func (m *matcher) split(s string, yield func(id int32, start, end int)) {
	from := 0
	if m.next != nil {
		for i := 0; i < len(s); {
			if !m.starts[s[i]] {
				i++
				continue
			}
			k, n := m.longest(s[i:])
			if k < 0 {
				i++
				continue
			}
			tok := m.list[k]
			start, end := i, i+n
			i = end
			if tok.SingleWord && (endsWithWord(s[:start]) || startsWithWord(s[end:])) {
				continue
			}
			if tok.LStrip {
				start = max(len(strings.TrimRightFunc(s[:start], unicode.IsSpace)), from)
			}
			if tok.RStrip {
				end = len(s) - len(strings.TrimLeftFunc(s[end:], unicode.IsSpace))
			}
			if from < start {
				yield(-1, from, start)
			}
			yield(tok.ID, start, end)
			from = end
		}
	}
	if from < len(s) {
		yield(-1, from, len(s))
	}
}

func startsWithWord(s string) bool {
	r, n := utf8.DecodeRuneInString(s)
	return n > 0 && isWord(r)
}

func endsWithWord(s string) bool {
	r, n := utf8.DecodeLastRuneInString(s)
	return n > 0 && isWord(r)
}

// isWord is \w of Unicode Technical Standard 18: alphabetic, mark, decimal digit, connector, joiner.
func isWord(r rune) bool {
	if r < 128 {
		return r == '_' || isDigit(r) || (r|32) >= 'a' && (r|32) <= 'z'
	}
	return unicode.In(r, unicode.L, unicode.Nl, unicode.M, unicode.Nd, unicode.Pc, unicode.Other_Alphabetic, unicode.Join_Control)
}

func isDigit(r rune) bool { return r >= '0' && r <= '9' }

// addTokens gives the added tokens their ids and builds the matchers. A token the model knows keeps the
// model's id and any other gets the next free one in file order; the "id" in the file is not
// what decides, in the reference neither.
func (t *Tokenizer) addTokens(list []addedToken) {
	a := &t.added
	a.ids, a.special, a.normForm = map[string]int32{}, map[string]bool{}, map[int32]string{}
	size := int32(len(t.vocab))
	next := size
	byID := map[int32]addedToken{}
	var order []int32
	for _, tok := range list {
		if tok.Content == "" {
			continue
		}
		id, ok := t.ID(tok.Content)
		if !ok {
			id = next
			next++
		}
		tok.ID = id
		a.ids[tok.Content] = id
		if tok.Special {
			a.special[tok.Content] = true
		}
		if _, ok := byID[id]; !ok {
			order = append(order, id)
		}
		byID[id] = tok
		t.grow(id)
		t.tokens[id], t.known[id] = tok.Content, true
	}
	for _, id := range order {
		tok := byID[id]
		t.special[id] = a.special[tok.Content]
		if !tok.Normalized {
			a.raw.add(tok.Content, tok)
			continue
		}
		norm := t.norm.apply(tok.Content)
		if norm != tok.Content {
			a.normForm[id] = norm
		}
		a.normalized.add(norm, tok)
	}
}

// grow makes room for id in the tables indexed by id.
func (t *Tokenizer) grow(id int32) {
	for n := int(id) + 1 - len(t.tokens); n > 0; n-- {
		t.tokens = append(t.tokens, "")
		t.known = append(t.known, false)
		t.special = append(t.special, false)
	}
}

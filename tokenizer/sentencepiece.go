package tokenizer

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// SentencePiece is a model file of Google's SentencePiece (Kudo and Richardson 2018, arXiv:1808.06226), type unigram or bpe,
// which cuts text into pieces with the arithmetic of that program, float32 sums included. Tokenizer does what Hugging Face makes of such models,
// which differs in normalisation and in ties.
type SentencePiece struct {
	pieces map[string]spPiece
	index  unigram // of the pieces, for their prefixes
	// least and most are the scores' bounds, of normal pieces.
	least, most float32
	bpe         bool
	bytes       bool // unknown characters become bytes
	chars       *charsMap
	fixed       []string // user-defined pieces, the longest first
	spaces      spSpaces
}

type spPiece struct {
	score float32
	kind  uint64
}

// Kinds of pieces, and types of models, as numbered in SentencePiece's format.
const (
	spNormal      = 1
	spUserDefined = 4
	spUnused      = 5

	spUnigram = 1
	spBPE     = 2
)

// spSpaces says what happens to white space; the fields are those of the format.
type spSpaces struct{ dummyPrefix, removeExtra, escape, suffix bool }

// spSpace stands for a space in a piece.
const spSpace = "▁"

// ParseSentencePiece reads the bytes of a .model file.
func ParseSentencePiece(data []byte) (*SentencePiece, error) {
	s := &SentencePiece{
		pieces: map[string]spPiece{}, least: math.MaxFloat32, most: -math.MaxFloat32, spaces: spSpaces{dummyPrefix: true, removeExtra: true, escape: true},
	}
	model := uint64(spUnigram)
	err := protoFields(data, func(field int, v uint64, raw []byte) error {
		switch field {
		case 1:
			return s.addPiece(raw)
		case 2:
			return protoFields(raw, func(field int, v uint64, _ []byte) error {
				switch field {
				case 3:
					model = v
				case 24:
					s.spaces.suffix = v != 0
				case 35:
					s.bytes = v != 0
				}
				return nil
			})
		case 3:
			return protoFields(raw, s.normalizer)
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("not a SentencePiece model: %w", err)
	case len(s.pieces) == 0:
		return nil, errors.New("not a SentencePiece model: it has no pieces")
	case model != spUnigram && model != spBPE:
		return nil, fmt.Errorf("a SentencePiece model of type %d: only unigram (%d) and bpe (%d) are known", model, spUnigram, spBPE)
	}
	s.bpe = model == spBPE
	slices.Sort(s.index.sorted)
	slices.SortFunc(s.fixed, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	return s, nil
}

func (s *SentencePiece) addPiece(raw []byte) error {
	text, p := "", spPiece{kind: spNormal}
	err := protoFields(raw, func(field int, v uint64, raw []byte) error {
		switch field {
		case 1:
			text = string(raw)
		case 2:
			p.score = math.Float32frombits(uint32(v))
		case 3:
			p.kind = v
		}
		return nil
	})
	if err != nil || text == "" {
		return cmp.Or(err, errors.New("a piece without text"))
	}
	switch p.kind {
	case spNormal:
		s.least, s.most = min(s.least, p.score), max(s.most, p.score)
	case spUserDefined:
		s.fixed = append(s.fixed, text)
	case spUnused:
	default: // control, unknown and byte pieces are no text
		return nil
	}
	s.pieces[text] = p
	s.index.sorted = append(s.index.sorted, text)
	return nil
}

func (s *SentencePiece) normalizer(field int, v uint64, raw []byte) error {
	switch field {
	case 2:
		if len(raw) == 0 {
			return nil
		}
		var err error
		s.chars, err = parseCharsMap(raw)
		return err
	case 3:
		s.spaces.dummyPrefix = v != 0
	case 4:
		s.spaces.removeExtra = v != 0
	case 5:
		s.spaces.escape = v != 0
	}
	return nil
}

// protoFields calls yield for each field of a message in Protocol Buffers' wire format, with a number's bits or the bytes of
// anything longer.
func protoFields(data []byte, yield func(field int, v uint64, raw []byte) error) error {
	cut := errors.New("a field is cut off or malformed")
	for len(data) > 0 {
		key, n := binary.Uvarint(data)
		if n <= 0 {
			return cut
		}
		data = data[n:]
		var v uint64
		var raw []byte
		size := 0
		switch key & 7 {
		case 0:
			if v, size = binary.Uvarint(data); size <= 0 {
				return cut
			}
		case 1:
			size = 8
		case 2:
			if v, n = binary.Uvarint(data); n <= 0 || v > uint64(len(data)-n) {
				return cut
			}
			raw, size = data[n:n+int(v)], n+int(v)
		case 5:
			size = 4
			if len(data) >= size {
				v = uint64(binary.LittleEndian.Uint32(data))
			}
		default:
			return cut
		}
		if size > len(data) {
			return cut
		}
		data = data[size:]
		if err := yield(int(key>>3), v, raw); err != nil {
			return err
		}
	}
	return nil
}

// prefix is what the next characters of a text are normalised to, and how many bytes they are.
func (s *SentencePiece) prefix(text string) (string, int) {
	for _, f := range s.fixed {
		if strings.HasPrefix(text, f) {
			return f, len(f)
		}
	}
	if s.chars != nil {
		if to, n := s.chars.longest(text); n > 0 {
			return to, n
		}
	}
	r, n := utf8.DecodeRuneInString(text)
	return string(r), n
}

// normalize applies the model's table of characters and its rules on white space.
func (s *SentencePiece) normalize(text string) string {
	space := " "
	if s.spaces.escape {
		space = spSpace
	}
	var out strings.Builder
	afterSpace, begun := s.spaces.removeExtra, false
	for text != "" {
		to, n := s.prefix(text)
		text = text[n:]
		for afterSpace && strings.HasPrefix(to, " ") {
			to = to[1:]
		}
		if !begun && (to != "" || !s.spaces.removeExtra) {
			if begun = true; s.spaces.dummyPrefix && !s.spaces.suffix {
				out.WriteString(space)
			}
		}
		if to != "" {
			out.WriteString(strings.ReplaceAll(to, " ", space))
			afterSpace = s.spaces.removeExtra && strings.HasSuffix(to, " ")
		}
	}
	normal := out.String()
	if s.spaces.removeExtra {
		for strings.HasSuffix(normal, space) {
			normal = strings.TrimSuffix(normal, space)
		}
	}
	if normal != "" && s.spaces.dummyPrefix && s.spaces.suffix {
		normal += space
	}
	return normal
}

// Pieces cuts a text. A stretch of characters that no piece has is a piece of its own, or its bytes as <0xHH> if the model says so.
func (s *SentencePiece) Pieces(text string) []string {
	normal := s.normalize(text)
	cut := s.cutUnigram
	if s.bpe {
		cut = s.cutBPE
	}
	var out []string
	unknown := false // the last piece is
	for _, p := range cut(normal) {
		_, known := s.pieces[p]
		switch {
		case known:
			out = append(out, p)
		case s.bytes:
			for _, b := range []byte(p) {
				out = append(out, fmt.Sprintf("<0x%02X>", b))
			}
		case unknown:
			out[len(out)-1] += p
		default:
			out = append(out, p)
		}
		unknown = !known
	}
	return out
}

// cutUnigram finds the most probable pieces. Of equally probable ones the longest last one counts.
func (s *SentencePiece) cutUnigram(text string) []string {
	type step struct {
		score float32
		from  int
		seen  bool
	}
	best := make([]step, len(text)+1)
	for at := 0; at < len(text); {
		_, n := utf8.DecodeRuneInString(text[at:])
		alone := false
		offer := func(size int, score float32) {
			score += best[at].score
			if to := &best[at+size]; !to.seen || score > to.score {
				*to = step{score, at, true}
			}
		}
		s.index.prefixes(text[at:], func(p string) {
			piece := s.pieces[p]
			switch piece.kind {
			case spUnused:
				return
			case spUserDefined:
				piece.score = float32(float64(float32(len(p))*s.most) - 0.1)
			}
			offer(len(p), piece.score)
			alone = alone || len(p) == n
		})
		if !alone {
			offer(n, s.least-unknownPenalty)
		}
		at += n
	}
	var out []string
	for end := len(text); end > 0; end = best[end].from {
		out = append(out, text[best[end].from:end])
	}
	slices.Reverse(out)
	return out
}

package dataset

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Encoder turns text into token ids. Special tokens that the text spells are recognised; special asks for
// the ones that the tokenizer itself puts around a text, such as a leading BOS.
type Encoder interface {
	Encode(text string, special bool) []int32
}

// Format is how a conversation becomes tokens: Begin, the tokens of prompt + Lead + answer + End, Finish.
type Format struct {
	Encoder Encoder
	// Prompt lays out the turns before the answer as text, up to where the answer starts.
	Prompt func([]Message) (string, error)
	// Lead is white space that the layout has between prompt and answer, such as the blank behind [/INST]. A model
	// that answers writes it itself, so it counts as the answer's.
	Lead string
	// End is the text that ends the answer's turn, such as <|im_end|>.
	End string
	// Begin are ids in front of the prompt that its text does not spell, such as BOS under the plain
	// template; Finish are ids behind End.
	Begin, Finish []int32
	// Special are the texts of the special tokens. Rows that spell one are noted in the report, because
	// it becomes the token and not text.
	Special []string
}

// Plain is the prompt of models without a chat template: every turn's text and a newline.
func Plain(turns []Message) (string, error) {
	var b strings.Builder
	for _, m := range turns {
		b.WriteString(m.Content)
		b.WriteByte('\n')
	}
	return b.String(), nil
}

// PromptIDs returns the tokens that a model answers to: Begin and the row's prompt under the given system
// message (see Row.Prompt). It fails if the template does.
func (f Format) PromptIDs(r Row, system string) ([]int32, error) {
	text, err := f.promptText(r, system)
	if err != nil {
		return nil, err
	}
	return slices.Concat(f.Begin, f.Encoder.Encode(text, false)), nil
}

func (f Format) promptText(r Row, system string) (string, error) {
	text, err := f.Prompt(r.Prompt(system))
	if err != nil {
		return "", fmt.Errorf("dataset: %s:%d: template: %w", r.File, r.Line, err)
	}
	return text, nil
}

// Encode turns rows into samples, in order. Prompt, answer and end are tokenized as one text, as the model
// will see it, and the first tokens, as many as the prompt alone has, are the prompt. Rows that are too long
// and samples without a token in the loss are handled as c says and counted in report. The rows are shared out among all
// CPUs, so f's Encoder and Prompt must be safe for concurrent use.
func Encode(view View, c Config, f Format, report *Report) ([]Sample, error) {
	rows, err := view.Rows()
	if err != nil {
		return nil, err
	}
	samples := make([]Sample, 0, len(rows))
	var long []string
	longest := 0
	for i, e := range f.encodeAll(rows, c) {
		r, s := rows[i], e.sample
		if e.err != nil {
			return nil, e.err
		}
		if e.special {
			report.note(specialText, r.ID)
		}
		if n := len(s.IDs); n > c.MaxTokens {
			switch c.TooLong {
			case "drop":
				report.drop(tooLong, r.ID)
				continue
			case "error":
				long, longest = append(long, r.ID), max(longest, n)
				continue
			}
			s.cut(c.MaxTokens)
			if s.LabelTokens() > 0 {
				report.note(cut, r.ID)
			}
		}
		if s.LabelTokens() == 0 {
			report.drop(noLabel, r.ID)
			continue
		}
		samples = append(samples, s)
	}
	if len(long) > 0 {
		return nil, fmt.Errorf("dataset: %d of %d rows are longer than data.max_tokens %d, the longest has %d tokens: %s",
			len(long), len(rows), c.MaxTokens, longest, examples(long))
	}
	return samples, nil
}

// encoded is a row on its way to a sample.
type encoded struct {
	sample  Sample
	special bool // the row spells a special token
	err     error
}

// encodeAll tokenizes every row on all CPUs.
func (f Format) encodeAll(rows []Row, c Config) []encoded {
	const grain = 64 // rows that a worker takes at a time
	first := firstBytes(f.Special)
	out := make([]encoded, len(rows))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), (len(rows)+grain-1)/grain) {
		wg.Go(func() {
			for {
				hi := int(next.Add(grain))
				if hi-grain >= len(rows) {
					return
				}
				for i := hi - grain; i < min(hi, len(rows)); i++ {
					out[i] = f.encode(rows[i], c, first)
				}
			}
		})
	}
	wg.Wait()
	return out
}

// encode tokenizes a row. A panic here must not end the process: it becomes the row's error.
func (f Format) encode(r Row, c Config, first string) (e encoded) {
	defer func() {
		if p := recover(); p != nil {
			e.err = fmt.Errorf("dataset: %s:%d: internal error: %v", r.File, r.Line, p)
		}
	}()
	if e.sample, e.err = f.sample(r, c); e.err == nil {
		e.special = spells(r, f.Special, first)
	}
	return e
}

// sample tokenizes and labels one row, whatever its length.
func (f Format) sample(r Row, c Config) (Sample, error) {
	text, err := f.promptText(r, c.System)
	if err != nil {
		return Sample{}, err
	}
	prompt := len(f.Begin) + len(f.Encoder.Encode(text, false))
	ids := slices.Concat(f.Begin, f.Encoder.Encode(text+f.Lead+r.Answer+f.End, false), f.Finish)
	s := Sample{ID: r.ID, Key: key(r.ID), IDs: ids, Labels: slices.Clone(ids), Prompt: min(prompt, len(ids))}
	if c.TrainOn == "answer" {
		for i := range s.Prompt {
			s.Labels[i] = Ignore
		}
	}
	return s, nil
}

// cut leaves the first n tokens.
func (s *Sample) cut(n int) {
	s.IDs, s.Labels, s.Prompt = s.IDs[:n:n], s.Labels[:n:n], min(s.Prompt, n)
}

// LabelTokens is the number of tokens that count in the loss. The first never does: nothing predicts it.
func (s *Sample) LabelTokens() int {
	n := 0
	for i, l := range s.Labels {
		if i > 0 && l != Ignore {
			n++
		}
	}
	return n
}

// key identifies a row to counter-based random draws: the first 8 bytes of the SHA-256 of its id,
// little-endian.
func key(id string) uint64 {
	h := sha256.Sum256([]byte(id))
	return binary.LittleEndian.Uint64(h[:])
}

// firstBytes returns the set of bytes with which the texts begin, a cheap test before the full search.
func firstBytes(texts []string) string {
	var set []byte
	for _, t := range texts {
		if t != "" && !slices.Contains(set, t[0]) {
			set = append(set, t[0])
		}
	}
	return string(set)
}

// spells reports whether the row's own text holds one of the special texts.
func spells(r Row, special []string, first string) bool {
	holds := func(text string) bool {
		hasFirst := false
		for i := 0; i < len(text) && !hasFirst; i++ {
			hasFirst = strings.IndexByte(first, text[i]) >= 0
		}
		return hasFirst && slices.ContainsFunc(special, func(s string) bool { return s != "" && strings.Contains(text, s) })
	}
	for _, m := range r.Messages {
		if holds(m.Content) {
			return true
		}
	}
	return holds(r.Answer)
}

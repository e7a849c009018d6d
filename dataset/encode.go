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

// Encode turns rows into samples and gives them to sink, in order. A row is one sample, but that the turns of a conversation whose
// template rewrites earlier turns are samples of their own under train_on: turns. Prompt, answer and end are tokenized as one text, as the model
// will see it, and the first tokens, as many as the prompt alone has, are the prompt. Samples that are too long
// or without a token in the loss are handled as c says and counted in report. The rows are read in blocks, each shared out among
// all CPUs, so f's Encoder, Prompt and Whole must be safe for concurrent use; sink runs alone, and its error ends Encode as it is.
func Encode(rows View, c Config, f Format, report *Report, sink func(Sample) error) error {
	var long tooLongRows
	for block, err := range rows.Blocks() {
		if err != nil {
			return err
		}
		for i, e := range f.encodeAll(block, c) {
			if e.err != nil {
				return e.err
			}
			for _, s := range e.fit(block[i], c, report, &long) {
				if err := sink(s); err != nil {
					return err
				}
			}
		}
	}
	return long.err(rows.Len(), c.MaxTokens)
}

// Samples is Encode for rows that are known to be few.
func Samples(rows View, c Config, f Format, report *Report) ([]Sample, error) {
	samples := []Sample{}
	err := Encode(rows, c, f, report, func(s Sample) error {
		samples = append(samples, s)
		return nil
	})
	return samples, err
}

// fit is the samples of row r as c has them, none if the row is left out, which report and long tell.
func (e encoded) fit(r Row, c Config, report *Report, long *tooLongRows) []Sample {
	for _, note := range e.notes {
		report.note(note, r.ID)
	}
	longest, without, shorter := 0, 0, false
	kept := make([]Sample, 0, len(e.samples))
	for _, s := range e.samples {
		n := len(s.IDs)
		switch {
		case n > c.MaxTokens:
			longest = max(longest, n)
		case s.LabelTokens() == 0:
			without++
		default:
			kept = append(kept, s.Sample)
			shorter = shorter || s.cut
		}
	}
	if shorter {
		report.note(cut, r.ID)
	}
	switch {
	case longest > 0 && c.TooLong == "error":
		long.add(r.ID, longest)
		return nil
	case len(kept) > 0 && longest > 0:
		report.note(turnsTooLong, r.ID)
	case len(kept) > 0:
	case longest > 0:
		report.drop(tooLong, r.ID)
	case without > 0:
		report.drop(noLabel, r.ID)
	}
	return kept
}

// tooLongRows are the rows for which data.too_long: error stops.
type tooLongRows struct {
	n, longest int
	first      []string // ids, a few more than are told
}

func (l *tooLongRows) add(id string, tokens int) {
	l.n++
	l.longest = max(l.longest, tokens)
	if len(l.first) < 10 {
		l.first = append(l.first, id)
	}
}

func (l *tooLongRows) err(rows, maxTokens int) error {
	if l.n == 0 {
		return nil
	}
	return fmt.Errorf("dataset: %d of %d rows are longer than data.max_tokens %d, the longest has %d tokens: %s",
		l.n, rows, maxTokens, l.longest, examples(l.first))
}

// encoded is a row on its way to samples.
type encoded struct {
	samples []draft
	notes   []string // reasons in the report
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
	if e = f.samples(r, c); e.err != nil {
		return e
	}
	if spells(r, f.Special, first) {
		e.notes = append(e.notes, specialText)
	}
	return e
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

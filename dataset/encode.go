package dataset

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"ft/internal/workers"
)

// Encoder turns text into token ids. Special tokens that the text spells are recognised; special asks for
// the ones that the tokenizer itself puts around a text, such as a leading BOS.
type Encoder interface {
	Encode(text string, special bool) []int32
}

// Encode turns rows into samples and gives them to sink, in order. A row is one sample, but that the turns of a conversation whose
// template rewrites earlier turns are samples of their own under train_on: turns. Prompt, answer and end are tokenized as one text, as the model
// will see it, and the first tokens, as many as the prompt alone has, are the prompt. Samples that are too long
// or without a token in the loss, and rows that the template refuses, are handled as c says and counted in report. The rows are read in blocks, each shared out among
// all CPUs, so f's Encoder, Prompt and Whole must be safe for concurrent use; sink runs alone, and its error ends Encode as it is.
func Encode(rows View, c Config, f Format, report *Report, sink func(Sample) error) error {
	var long tooLongRows
	bad := refusals{config: c, report: report}
	for block, err := range rows.Blocks() {
		if err != nil {
			return err
		}
		for i, e := range f.encodeAll(block, c) {
			if e.err != nil {
				if !bad.add(block[i], e.err) {
					return bad.err()
				}
				continue
			}
			for _, s := range e.fit(block[i], c, report, &long) {
				if err := sink(s); err != nil {
					return err
				}
			}
		}
	}
	return cmp.Or(bad.err(), long.err(rows.Len(), c.MaxTokens))
}

// refusals are the rows that the template refuses. As data.bad_rows says they are dropped and listed, or errors.
type refusals struct {
	config Config
	report *Report
	errs   []error
}

// add reports whether going on makes sense.
func (x *refusals) add(r Row, err error) bool {
	if x.config.BadRows == "drop" {
		x.report.drop(badRow, r.ID)
		x.report.tellBad(errors.New(strings.TrimPrefix(err.Error(), "dataset: ")))
		return true
	}
	x.errs = append(x.errs, err)
	return len(x.errs) < maxErrors
}

func (x *refusals) err() error { return errors.Join(x.errs...) }

// Answerable are the rows whose prompts the template writes, and the plain texts, which have none. Others are handled as data.bad_rows says,
// before a run comes to answering them.
func (f Format) Answerable(rows View, c Config, report *Report) (View, error) {
	bad := refusals{config: c, report: report}
	var good []int32
	at := 0
	for block, err := range rows.Blocks() {
		if err != nil {
			return View{}, err
		}
		errs := make([]error, len(block))
		workers.Each(len(block), rowGrain, func(i int) {
			if !block[i].Plain {
				_, errs[i] = f.prompt(block[i], c.System)
			}
		})
		for i, err := range errs {
			if err == nil {
				good = append(good, int32(at+i))
			} else if !bad.add(block[i], err) {
				return View{}, bad.err()
			}
		}
		at += len(block)
	}
	return rows.Pick(good), bad.err()
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
	first := firstBytes(f.Special)
	out := make([]encoded, len(rows))
	workers.Each(len(rows), rowGrain, func(i int) { out[i] = f.encode(rows[i], c, first) })
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

package dataset

import (
	"encoding/json"
	"slices"
	"strings"
)

// samples tokenizes and labels one row, and shortens what is too long if c wants that.
func (f Format) samples(r Row, c Config) (e encoded) {
	if r.Plain {
		ids := slices.Concat(f.TextBegin, f.Encoder.Encode(r.Answer, false), f.TextEnd)
		s := newSample(r.ID, ids, 0)
		s.shorten(c, nil)
		return encoded{samples: []draft{s}}
	}
	turns := r.Prompt(c.System)
	answer := Message{Role: "assistant", Content: r.Answer, Fields: r.Fields}
	last, err := f.exchange(turns, answer, r)
	if err != nil {
		return encoded{err: err}
	}
	if !heeded(r, last.prompt) {
		e.notes = append(e.notes, toolsIgnored)
	}
	all := []exchange{last}
	if c.TrainOn == "turns" {
		earlier, err := f.earlier(turns, last, r)
		if err != nil {
			return encoded{err: err}
		}
		all = append(earlier, last)
	}
	for _, x := range all {
		if !strings.HasPrefix(last.prompt+last.answer, x.prompt+x.answer) {
			e.notes = append(e.notes, turnsApart)
			for k, x := range all {
				e.samples = append(e.samples, f.sample(turnID(r.ID, k), turns, []exchange{x}, c))
			}
			return e
		}
	}
	e.samples = []draft{f.sample(r.ID, turns, all, c)}
	return e
}

// exchange is a turn of the assistant as text, with all that goes before it.
type exchange struct{ prompt, answer string }

func (f Format) exchange(before []Message, m Message, r Row) (x exchange, err error) {
	if x.prompt, err = f.Prompt(before, r.Tools); err == nil {
		x.answer, err = f.turn(x.prompt, before, m, r.Tools)
	}
	if err != nil {
		err = r.templateError(err)
	}
	return x, err
}

// earlier are the turns of the assistant before the last one, as a model would have to write each of them. One that answers nobody, such
// as a greeting, and one that says nothing is none.
func (f Format) earlier(turns []Message, last exchange, r Row) ([]exchange, error) {
	var all []exchange
	asked := false
	for i, m := range turns {
		asked = asked || m.Role == "user"
		if m.Role != "assistant" || !asked || strings.TrimSpace(m.Text()) == "" {
			continue
		}
		x, err := f.exchange(turns[:i], m, r)
		if err != nil {
			return nil, err
		}
		whole := last.prompt + last.answer
		if trimmed := f.Lead + strings.TrimSpace(m.Content) + f.End; len(m.Fields) == 0 && !strings.HasPrefix(whole, x.prompt+x.answer) &&
			strings.HasPrefix(whole, x.prompt+trimmed) {
			x.answer = trimmed // templates trim what has been said
		}
		all = append(all, x)
	}
	return all, nil
}

// sample tokenizes the last of the exchanges and labels the answers of all, which begin its text.
func (f Format) sample(id string, turns []Message, all []exchange, c Config) draft {
	last := all[len(all)-1]
	count := func(text string) int { return len(f.Begin) + len(f.Encoder.Encode(text, false)) }
	ids := slices.Concat(f.Begin, f.Encoder.Encode(last.prompt+last.answer, false), f.Finish)
	s := newSample(id, ids, min(count(last.prompt), len(ids)))
	if c.TrainOn != "all" {
		for i := range s.Prompt {
			s.Labels[i] = Ignore
		}
		for _, x := range all[:len(all)-1] {
			from := min(count(x.prompt), s.Prompt)
			to := min(count(x.prompt+x.answer), s.Prompt)
			copy(s.Labels[from:max(from, to)], ids[from:max(from, to)])
		}
	}
	s.shorten(c, func() (head, tail int) { return f.frame(last.prompt, turns) })
	return s
}

// draft is a sample in the making.
type draft struct {
	Sample
	cut bool // it was longer
}

func newSample(id string, ids []int32, prompt int) draft {
	return draft{Sample: Sample{ID: id, Key: key(id), IDs: ids, Labels: slices.Clone(ids), Prompt: prompt}}
}

// heeded reports whether a prompt has the row's tools and calls: a template that knows none leaves them out.
func heeded(r Row, prompt string) bool {
	var named []json.RawMessage
	if json.Unmarshal(r.Tools, &named) == nil && len(named) > 1 {
		named = named[:1] // the others are where the first is
	}
	for _, m := range r.Messages {
		named = append(named, m.calls()...)
	}
	for _, v := range named {
		if name, err := nameOf(v); err != nil || !strings.Contains(prompt, name) {
			return false
		}
	}
	return true
}

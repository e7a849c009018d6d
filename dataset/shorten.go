package dataset

import (
	"slices"
	"strconv"
	"strings"
)

// turnID is the id of the sample of a row's turn k.
func turnID(id string, k int) string { return id + "#" + strconv.Itoa(k+1) }

// shorten cuts a sample down to max_tokens as too_long says. frame gives the tokens at both ends of the prompt that are not to be cut out of
// its middle; nil stands for none.
func (s *draft) shorten(c Config, frame func() (head, tail int)) {
	over := len(s.IDs) - c.MaxTokens
	if over <= 0 {
		return
	}
	s.cut = c.TooLong != "drop" && c.TooLong != "error"
	switch c.TooLong {
	case "cut":
		s.remove(c.MaxTokens, over)
	case "cut_head":
		s.remove(0, over)
	case "cut_middle":
		if frame != nil {
			head, tail := frame()
			middle := max(0, s.Prompt-head-tail)
			n := min(over, middle)
			s.remove(head+(middle-n)/2, n)
			over -= n
		}
		s.remove(c.MaxTokens, over) // the prompt's middle was not enough
	}
}

// remove takes out n tokens from position at on.
func (s *Sample) remove(at, n int) {
	if n == 0 {
		return
	}
	s.IDs, s.Labels = slices.Delete(s.IDs, at, at+n), slices.Delete(s.Labels, at, at+n)
	s.Prompt -= max(0, min(s.Prompt, at+n)-at)
}

// frame counts the tokens of a prompt before the first turn's text, a system message included, and behind the last one's.
func (f Format) frame(prompt string, turns []Message) (head, tail int) {
	first := 0
	from := 0
	if len(turns) > 1 && turns[0].Role == "system" {
		first = 1
		text := strings.TrimSpace(turns[0].Content)
		if i := strings.Index(prompt, text); i >= 0 {
			from = i + len(text)
		}
	}
	if len(turns) == 0 {
		return 0, 0
	}
	count := func(text string) int { return len(f.Encoder.Encode(text, false)) }
	if i := strings.Index(prompt[from:], strings.TrimSpace(turns[first].Content)); i >= 0 {
		head = len(f.Begin) + count(prompt[:from+i])
	}
	text := strings.TrimSpace(turns[len(turns)-1].Content)
	if i := strings.LastIndex(prompt, text); i >= 0 {
		tail = max(0, count(prompt)-count(prompt[:i+len(text)]))
	}
	return head, tail
}

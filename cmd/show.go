package cmd

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"ft/dataset"
	"ft/internal/ui"
	"ft/tokenizer"
)

// showFlags are the flags of ft data show.
type showFlags struct {
	configFlags
	part        string
	n, from     int
	json        bool
	tokens      bool
	begin, stop string // around what counts in the loss
}

func newDataShowCmd(s *ui.Streams) *cobra.Command {
	var o showFlags
	c := &cobra.Command{
		Use:   "show (--config FILE.yaml | FILE …)",
		Short: "Show samples as the model will see them: text, mask, ids, labels",
		Long: `Show samples of a part as the model will see them: the text as the template lays it out, the tokens that count in the loss
in colour on a terminal and in ⟦ ⟧ elsewhere, token ids, and labels (-100 does not count). --tokens shows each token above its id: a blank is
·, a line end ↵, and a part of a character �.`,
		Example: `  ft data show --config configs/med.yaml
  ft data show rows.jsonl --base model.gguf -n 1
  ft data show --config med.yaml --part val --from 10 -n 1 --json`,
		PreRunE: func(*cobra.Command, []string) error {
			switch {
			case o.part != "train" && o.part != "val" && o.part != "test":
				return fmt.Errorf("--part: must be train, val or test, got %q", o.part)
			case o.n < 1:
				return fmt.Errorf("-n: must be 1 or more, got %d", o.n)
			case o.from < 0:
				return fmt.Errorf("--from: must be 0 or more, got %d", o.from)
			}
			return nil
		},
		RunE: func(*cobra.Command, []string) error {
			o.begin, o.stop = "⟦", "⟧"
			if colours(s) {
				o.begin, o.stop = "\x1b[32m", "\x1b[0m"
			}
			return o.run(s)
		},
	}
	o.register(c)
	f := c.Flags()
	f.StringVar(&o.part, "part", "train", "train, val or test")
	f.IntVarP(&o.n, "number", "n", 3, "how many samples")
	f.IntVar(&o.from, "from", 0, "index of the first sample")
	f.BoolVar(&o.tokens, "tokens", false, "each token above its id")
	f.BoolVar(&o.json, "json", false, "one JSON object a sample on stdout")
	c.MarkFlagsMutuallyExclusive("tokens", "json")
	return c
}

// colours reports whether results go to a terminal that shows colours.
func colours(s *ui.Streams) bool {
	f, ok := s.Out.(*os.File)
	return ok && s.Terminal && os.Getenv("NO_COLOR") == "" && term.IsTerminal(int(f.Fd()))
}

func (o *showFlags) run(s *ui.Streams) error {
	c, err := o.load(true)
	if err != nil {
		return err
	}
	d, err := loadData(unnoted(c.Data), rowSource())
	if err != nil {
		return err
	}
	defer d.close()
	session, err := openFormat(c, *s)
	if err != nil {
		return err
	}
	defer session.close()
	rows := map[string]dataset.View{"train": d.parts.Train, "val": d.parts.Val, "test": d.parts.Test}[o.part]
	var samples []dataset.Sample // those to show
	all := 0
	err = dataset.Encode(rows, c.Data, session.format, d.report, func(s dataset.Sample) error {
		if all++; all > o.from {
			samples = append(samples, s)
		}
		if len(samples) == o.n {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	if all == 0 {
		return fmt.Errorf("dataset: the %s part has no samples, of %d rows (%s)", o.part, rows.Len(), dropped(d.report))
	}
	if len(samples) == 0 {
		return fmt.Errorf("--from: the %s part has %d samples, the first is 0", o.part, all)
	}
	write := lineWriter(s.Out)
	for i, sample := range samples {
		switch t := session.base.Tokenizer; {
		case o.json:
			err = write(o.shown(&sample, t))
		case o.tokens:
			_, err = fmt.Fprint(s.Out, o.title(&sample, o.from+i, rows.Len())+o.cells(&sample, t, ui.Columns(s.Out)))
		default:
			_, err = fmt.Fprint(s.Out, o.title(&sample, o.from+i, rows.Len())+o.picture(&sample, t))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// shownSample is a sample as --json tells it.
type shownSample struct {
	ID     string          `json:"id"`
	Part   string          `json:"part"`
	Prompt int             `json:"prompt_tokens"`
	Text   string          `json:"text"`
	IDs    []int32         `json:"ids"`
	Labels []int32         `json:"labels"`
	Tokens []dataset.Token `json:"tokens"`
}

func (o *showFlags) shown(s *dataset.Sample, t *tokenizer.Tokenizer) shownSample {
	return shownSample{
		ID: s.ID, Part: o.part, Prompt: s.Prompt, Text: t.Decode(s.IDs, false), IDs: s.IDs, Labels: s.Labels,
		Tokens: s.Show(func(id int32) string { return t.Decode([]int32{id}, false) }),
	}
}

// title is a line about sample i of a part of so many rows.
func (o *showFlags) title(s *dataset.Sample, i, rows int) string {
	return fmt.Sprintf("%s %d of %d rows: %s, %d tokens, %d of them in the loss\n", o.part, i, rows, ui.EscapeLine(s.ID), len(s.IDs), s.LabelTokens())
}

// counts reports whether token i counts in the loss.
func counts(s *dataset.Sample, i int) bool { return i > 0 && s.Labels[i] != dataset.Ignore }

// picture is a sample's text for a person, and its ids and labels.
func (o *showFlags) picture(s *dataset.Sample, t *tokenizer.Tokenizer) string {
	var b strings.Builder
	counts := func(i int) bool { return counts(s, i) }
	for from := 0; from < len(s.IDs); {
		to := from + 1
		for to < len(s.IDs) && counts(to) == counts(from) {
			to++
		}
		text := ui.Escape(behind(t, s.IDs, from, to))
		if counts(from) {
			text = o.begin + text + o.stop
		}
		b.WriteString(text)
		from = to
	}
	fmt.Fprintf(&b, "\nids    %s\nlabels %s\n\n", spaced(s.IDs), spaced(s.Labels))
	return b.String()
}

// behind is the text that the tokens from and up to to add to the text of those before them.
func behind(t *tokenizer.Tokenizer, ids []int32, from, to int) string {
	if text, ok := strings.CutPrefix(t.Decode(ids[:to], false), t.Decode(ids[:from], false)); ok {
		return text
	}
	return t.Decode(ids[from:to], false) // a character is cut in two
}

// spaced writes numbers with a blank between.
func spaced(ids []int32) string {
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = fmt.Sprint(id)
	}
	return strings.Join(words, " ")
}

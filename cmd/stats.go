package cmd

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"ft/configs"
	"ft/dataset"
	"ft/internal/ui"
)

func newDataStatsCmd(s *ui.Streams) *cobra.Command {
	var o configFlags
	var asJSON bool
	c := &cobra.Command{
		Use:   "stats (--config FILE.yaml | FILE …)",
		Short: "Tell the numbers of a config's data: lengths, languages, how well samples pack",
		Long: `Tell the numbers of a config's data, clean as training would see it: characters of questions and answers, and with a base
tokens of prompts, answers and samples as the template lays them out, before anything is cut; how many samples are longer than
usual limits; and how full passes become. Best fit packs the whole train part at once; a run packs each optimizer step for itself, so that
packing does not change what a step learns, and leaves more room.`,
		Example: `  ft data stats --config configs/med.yaml
  ft data stats rows.jsonl --base model.gguf
  ft data stats rows.csv --json`,
		RunE: func(*cobra.Command, []string) error {
			stats, err := newDataStats(o, *s)
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(s.Out, stats)
			}
			return stats.print(s)
		},
	}
	o.register(c)
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON object on stdout")
	return c
}

// dataStats is what ft data stats tells.
type dataStats struct {
	Files     []string             `json:"files"`
	Rows      int                  `json:"rows"` // in the files
	Used      int                  `json:"used"` // after cleaning
	Parts     map[string]int       `json:"parts"`
	Languages map[string]int       `json:"languages"`
	Question  dataset.Distribution `json:"question_chars"`
	Answer    dataset.Distribution `json:"answer_chars"`
	Tokens    *tokenStats          `json:"tokens,omitempty"`
}

// tokenStats are lengths of samples in tokens, before they are cut.
type tokenStats struct {
	MaxTokens int                  `json:"max_tokens"`
	Prompt    dataset.Distribution `json:"prompt"`
	Answer    dataset.Distribution `json:"answer"`
	Sample    dataset.Distribution `json:"sample"`
	Longer    []longer             `json:"longer"`
	// Packing is of the samples of the train part, all at once.
	Packing []dataset.Packing `json:"packing"`
	// Steps is how the first epoch's steps of Batch samples are packed.
	Steps dataset.Packing `json:"steps"`
	Batch int             `json:"batch"`
}

// longer counts the samples that have more than so many tokens.
type longer struct {
	Than    int `json:"than"`
	Samples int `json:"samples"`
}

// usualLimits are values of data.max_tokens that people choose.
var usualLimits = []int{256, 512, 1024, 2048}

// statBins is the most bars of a histogram.
const statBins = 12

func newDataStats(o configFlags, streams ui.Streams) (*dataStats, error) {
	c, err := o.load(false)
	if err != nil {
		return nil, err
	}
	d, err := loadData(unnoted(c.Data), rowSource())
	if err != nil {
		return nil, err
	}
	defer d.close()
	stats := &dataStats{
		Files: c.Data.Files, Rows: d.report.Rows, Used: d.report.Kept, Languages: d.report.Languages,
		Parts: map[string]int{"train": d.parts.Train.Len(), "val": d.parts.Val.Len(), "test": d.parts.Test.Len()},
	}
	var questions, answers []int32
	for _, part := range d.all() {
		for r, err := range part.All() {
			if err != nil {
				return nil, err
			}
			if !r.Plain {
				questions = append(questions, int32(utf8.RuneCountInString(r.Question())))
			}
			answers = append(answers, int32(utf8.RuneCountInString(r.Reference())))
		}
	}
	stats.Question, stats.Answer = dataset.Distribute(questions, statBins), dataset.Distribute(answers, statBins)
	if c.Base == "" {
		return stats, nil
	}
	stats.Tokens, err = newTokenStats(c, d, streams)
	return stats, err
}

// all are the parts in order.
func (d *data) all() []dataset.View {
	return []dataset.View{d.parts.Train, d.parts.Val, d.parts.Test}
}

func newTokenStats(c *configs.Config, d *data, streams ui.Streams) (*tokenStats, error) {
	s, err := openFormat(c, streams)
	if err != nil {
		return nil, err
	}
	defer s.close()
	whole := c.Data
	whole.MaxTokens = math.MaxInt
	var prompts, answers, all []int32
	var train dataset.Sizes
	for i, part := range d.all() {
		err := dataset.Encode(part, whole, s.format, d.report, func(x dataset.Sample) error {
			n := len(x.IDs)
			prompts, answers, all = append(prompts, int32(x.Prompt)), append(answers, int32(n-x.Prompt)), append(all, int32(n))
			if fits := n <= c.Data.MaxTokens; i == 0 && (fits || strings.HasPrefix(c.Data.TooLong, "cut")) {
				train.Add(x.Key, min(n, c.Data.MaxTokens))
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	t := &tokenStats{
		MaxTokens: c.Data.MaxTokens, Batch: c.Train.Batch,
		Prompt: dataset.Distribute(prompts, statBins), Answer: dataset.Distribute(answers, statBins), Sample: dataset.Distribute(all, statBins),
	}
	limits := append(slices.Clone(usualLimits), c.Data.MaxTokens)
	slices.Sort(limits)
	for _, n := range slices.Compact(limits) {
		t.Longer = append(t.Longer, longer{n, t.Sample.Longer(n)})
	}
	windows := []int{c.Data.MaxTokens, c.Train.MicroTokens}
	slices.Sort(windows)
	for _, w := range slices.Compact(windows) {
		t.Packing = append(t.Packing, train.Packed(w))
	}
	t.Steps = train.PackedSteps(c.Train.Seed, c.Train.Batch, c.Train.MicroTokens)
	return t, nil
}

// print is what a person reads.
func (d *dataStats) print(s *ui.Streams) error {
	var b strings.Builder
	fmt.Fprintf(&b, "files      %s\n", strings.Join(d.Files, ", "))
	fmt.Fprintf(&b, "rows       %s in the files, %s used: train %s, val %s, test %s\n", ui.Count(d.Rows), ui.Count(d.Used),
		ui.Count(d.Parts["train"]), ui.Count(d.Parts["val"]), ui.Count(d.Parts["test"]))
	if names := slices.SortedFunc(maps.Keys(d.Languages), func(a, b string) int {
		return cmp.Or(d.Languages[b]-d.Languages[a], strings.Compare(a, b))
	}); len(names) > 0 {
		for i, n := range names {
			names[i] = n + " " + ui.Count(d.Languages[n])
		}
		fmt.Fprintf(&b, "languages  %s\n", strings.Join(names, ", "))
	}
	b.WriteByte('\n')
	if _, err := io.WriteString(s.Out, ui.Escape(b.String())); err != nil {
		return err
	}
	rows := [][]string{lengthCells("characters of questions", d.Question), lengthCells("characters of answers", d.Answer)}
	charts := []chart{{"characters of questions", d.Question}, {"characters of answers", d.Answer}}
	if t := d.Tokens; t != nil {
		rows = append(rows, lengthCells("tokens of prompts", t.Prompt), lengthCells("tokens of answers", t.Answer), lengthCells("tokens of samples", t.Sample))
		charts = []chart{{"tokens of prompts", t.Prompt}, {"tokens of answers", t.Answer}, {"tokens of samples, prompt and answer", t.Sample}}
	}
	if err := ui.Table(s.Out, []string{"", "shortest", "mean", "median", "90 %", "99 %", "longest", "in all"}, rows); err != nil {
		return err
	}
	for _, c := range charts {
		if err := c.print(s.Out); err != nil {
			return err
		}
	}
	if d.Tokens == nil {
		s.Note("no tokens: no base is named (--base BASE)")
		return nil
	}
	return d.Tokens.print(s.Out)
}

// lengthCells are a row of the table of lengths.
func lengthCells(name string, d dataset.Distribution) []string {
	return []string{name, ui.Count(d.Min), fmt.Sprintf("%.1f", d.Mean), ui.Count(d.P50), ui.Count(d.P90), ui.Count(d.P99), ui.Count(d.Max), ui.Count(d.Sum)}
}

// chart is a histogram with a title.
type chart struct {
	title string
	of    dataset.Distribution
}

func (c chart) print(w io.Writer) error {
	if c.of.Count == 0 {
		return nil
	}
	if _, err := fmt.Fprintf(w, "\n%s\n", c.title); err != nil {
		return err
	}
	bins := make([]ui.Bin, len(c.of.Bins))
	for i, b := range c.of.Bins {
		label := fmt.Sprintf("%s–%s", ui.Count(b.From), ui.Count(b.To-1))
		switch b.To {
		case 0:
			label = ui.Count(b.From) + "–" + ui.Count(c.of.Max)
		case b.From + 1:
			label = ui.Count(b.From)
		}
		bins[i] = ui.Bin{Label: label, Count: b.Count}
	}
	return ui.Bars(w, bins)
}

func (t *tokenStats) print(w io.Writer) error {
	var parts []string
	for _, l := range t.Longer {
		parts = append(parts, fmt.Sprintf("%s: %s (%.1f %%)", ui.Count(l.Than), ui.Count(l.Samples), 100*float64(l.Samples)/float64(max(1, t.Sample.Count))))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\nsamples of more tokens than  %s\n", strings.Join(parts, ", "))
	for _, p := range t.Packing {
		fmt.Fprintf(&b, "train packed best fit        passes of %s tokens: %s, filled to %.2f %%\n", ui.Count(p.Window), ui.Count(p.Passes), 100*p.Fill)
	}
	fmt.Fprintf(&b, "%-27s  passes of %s tokens: %s an epoch, filled to %.2f %%\n", fmt.Sprintf("in steps of %s samples", ui.Count(t.Batch)),
		ui.Count(t.Steps.Window), ui.Count(t.Steps.Passes), 100*t.Steps.Fill)
	_, err := io.WriteString(w, b.String())
	return err
}

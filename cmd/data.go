package cmd

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/text/unicode/norm"

	"ft/configs"
	"ft/dataset"
	"ft/internal/atomicfile"
	"ft/internal/ui"
)

func newDataCmd(s *ui.Streams) *cobra.Command {
	c := newGroup("data", "Check, show and split training data")
	c.AddCommand(newDataCheckCmd(s), newDataShowCmd(s), newDataSplitCmd(s))
	return c
}

// configFlags name a config.
type configFlags struct {
	file string
	set  []string
}

func (o *configFlags) register(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.file, "config", "", "the run's YAML file")
	f.StringArrayVar(&o.set, "set", nil, "key.path=value, stronger than the file; may be repeated")
	c.MarkFlagRequired("config")
}

func newDataCheckCmd(s *ui.Streams) *cobra.Command {
	var o configFlags
	var asJSON bool
	c := &cobra.Command{
		Use:   "check --config FILE.yaml",
		Short: "Check a config's data: what is left out and why, the parts, token lengths",
		Long: `Read, clean and split a config's data as training would, and tell what came of it: rows left out by reason, rows worth a
look, the sizes of the parts, questions that two parts share. Token lengths need the config's base; without one they are
left away. Nothing is written.`,
		Example: `  ft data check --config configs/med.yaml
  ft data check --config med.yaml --set data.max_tokens=256 --json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			check, err := checkData(o, *s)
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(s.Out, check)
			}
			return check.print(s)
		},
	}
	o.register(c)
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON object on stdout")
	return c
}

// dataCheck is what ft data check tells.
type dataCheck struct {
	*dataset.Report
	// SharedQuestions is the number of rows of val and test whose question, but for white space, train has too.
	SharedQuestions int         `json:"shared_questions"`
	Parts           checkParts  `json:"parts"`
	config          configCheck // for people
}

type configCheck struct {
	files []string
	base  string
}

type checkParts struct {
	Train checkPart `json:"train"`
	Val   checkPart `json:"val"`
	Test  checkPart `json:"test"`
}

type checkPart struct {
	Rows      int              `json:"rows"`
	Questions int              `json:"questions"`        // that differ by more than white space
	Tokens    *dataset.Lengths `json:"tokens,omitempty"` // of the samples, as training sees them
}

// checkData goes the way of the rows up to the first training step.
func checkData(o configFlags, streams ui.Streams) (*dataCheck, error) {
	c, err := loadConfig(o.file, o.set, false)
	if err != nil {
		return nil, err
	}
	d, err := loadData(c.Data, os.ReadFile)
	if err != nil {
		return nil, err
	}
	var questions [3]map[string]int
	for i, part := range []dataset.View{d.parts.Train, d.parts.Val, d.parts.Test} {
		if questions[i], err = questionsOf(part); err != nil {
			return nil, err
		}
	}
	train, val, test := questions[0], questions[1], questions[2]
	check := &dataCheck{
		Report: d.report,
		Parts: checkParts{
			Train: checkPart{Rows: d.parts.Train.Len(), Questions: len(train)},
			Val:   checkPart{Rows: d.parts.Val.Len(), Questions: len(val)},
			Test:  checkPart{Rows: d.parts.Test.Len(), Questions: len(test)},
		},
		config: configCheck{c.Data.Files, c.Base},
	}
	for _, other := range []map[string]int{val, test} {
		for q, rows := range other {
			if train[q] > 0 {
				check.SharedQuestions += rows
			}
		}
	}
	if c.Base == "" {
		return check, nil
	}
	return check, check.measure(c, d, streams)
}

// questionsOf counts the rows of each question. White space and the Unicode form of a text do not make another question.
func questionsOf(rows dataset.View) (map[string]int, error) {
	questions := map[string]int{}
	for r, err := range rows.All() {
		if err != nil {
			return nil, err
		}
		questions[strings.Join(strings.Fields(norm.NFC.String(r.Question())), " ")]++
	}
	return questions, nil
}

// measure tokenizes all parts. What is too long for training goes into the report; the test part is not trained on and
// keeps all its rows.
func (check *dataCheck) measure(c *configs.Config, d *data, streams ui.Streams) error {
	s, err := openFormat(c, streams)
	if err != nil {
		return err
	}
	defer s.close()
	train, val, err := encodeParts(d, c.Data, s.format)
	if err != nil {
		return err
	}
	whole := c.Data
	whole.MaxTokens = math.MaxInt
	unused := &dataset.Report{Dropped: map[string]int{}, Notes: map[string]int{}, IDs: map[string][]string{}}
	test, err := dataset.Encode(d.parts.Test, whole, s.format, unused)
	if err != nil {
		return err
	}
	for _, m := range []struct {
		part    *checkPart
		samples []dataset.Sample
	}{{&check.Parts.Train, train}, {&check.Parts.Val, val}, {&check.Parts.Test, test}} {
		l := dataset.Measure(m.samples)
		m.part.Tokens = &l
	}
	return nil
}

// print is one screen for a person.
func (check *dataCheck) print(s *ui.Streams) error {
	var b strings.Builder
	fmt.Fprintf(&b, "files     %s\n", strings.Join(check.config.files, ", "))
	fmt.Fprintf(&b, "rows      %s in the files, %s used\n", ui.Count(check.Rows), ui.Count(check.Kept))
	for _, line := range notes(&dataset.Report{Notes: check.Dropped, IDs: check.IDs}) {
		fmt.Fprintf(&b, "left out  %s\n", line)
	}
	for _, line := range notes(check.Report) {
		fmt.Fprintf(&b, "note      %s\n", line)
	}
	fmt.Fprintf(&b, "questions of val and test that train has too: %s\n\n", ui.Count(check.SharedQuestions))
	if _, err := io.WriteString(s.Out, ui.Escape(b.String())); err != nil {
		return err
	}
	header := []string{"part", "rows", "questions"}
	if check.config.base != "" {
		header = append(header, "samples", "tokens", "in the loss", "shortest", "median", "90 %", "99 %", "longest")
	}
	rows := [][]string{
		check.Parts.Train.cells("train"), check.Parts.Val.cells("val"), check.Parts.Test.cells("test"),
	}
	if err := ui.Table(s.Out, header, rows); err != nil {
		return err
	}
	if check.config.base == "" {
		s.Note("no token lengths: the config names no base (--set base=…)")
	}
	return nil
}

// cells are a part's row of the table.
func (p checkPart) cells(name string) []string {
	cells := []string{name, ui.Count(p.Rows), ui.Count(p.Questions)}
	if l := p.Tokens; l != nil {
		for _, n := range []int{l.Samples, l.Tokens, l.Labels, l.Min, l.P50, l.P90, l.P99, l.Max} {
			cells = append(cells, ui.Count(n))
		}
	}
	return cells
}

// splitFlags are the flags of ft data split.
type splitFlags struct {
	configFlags
	json, force bool
	out         string
}

func newDataSplitCmd(s *ui.Streams) *cobra.Command {
	var o splitFlags
	c := &cobra.Command{
		Use:   "split --config FILE.yaml",
		Short: "Divide a config's data into train, val and test",
		Long: `Divide a config's data into train, val and test as training would, and print the sizes or with --json the ids of each part.
--out writes a manifest, ids with hashes of their rows, that data.split.manifest can name to keep the split for good.`,
		Example: `  ft data split --config configs/med.yaml --json
  ft data split --config med.yaml --set data.split.seed=7 --out split.json`,
		Args: cobra.NoArgs,
		PreRunE: func(*cobra.Command, []string) error {
			if o.force && o.out == "" {
				return errors.New("--force is for --out")
			}
			return nil
		},
		RunE: func(*cobra.Command, []string) error { return o.run(s) },
	}
	o.register(c)
	f := c.Flags()
	f.BoolVar(&o.json, "json", false, "the ids of each part as one JSON object on stdout")
	f.StringVar(&o.out, "out", "", "the manifest to write")
	f.BoolVar(&o.force, "force", false, "let --out replace a file")
	return c
}

func (o *splitFlags) run(s *ui.Streams) error {
	c, err := loadConfig(o.file, o.set, false)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(o.out); err == nil && !o.force {
		return fmt.Errorf("%s is there already; --force replaces it", o.out)
	}
	d, err := loadData(c.Data, os.ReadFile)
	if err != nil {
		return err
	}
	m, err := d.parts.Manifest()
	if err != nil {
		return err
	}
	if o.out != "" {
		if err := writeManifest(o.out, m); err != nil {
			return err
		}
		s.Note("wrote %s", o.out)
	}
	if o.json {
		m.Hash = nil
		return m.Write(s.Out)
	}
	var rows [][]string
	total := float64(len(m.Train) + len(m.Val) + len(m.Test))
	for _, p := range []struct {
		name string
		ids  []string
	}{{"train", m.Train}, {"val", m.Val}, {"test", m.Test}} {
		rows = append(rows, []string{p.name, ui.Count(len(p.ids)), fmt.Sprintf("%.1f %%", 100*float64(len(p.ids))/total)})
	}
	return ui.Table(s.Out, []string{"part", "rows", "share"}, rows)
}

func writeManifest(path string, m dataset.Manifest) error {
	f, err := atomicfile.Create(path)
	if err != nil {
		return err
	}
	defer f.Abort()
	if err := m.Write(f); err != nil {
		return err
	}
	return f.Commit()
}

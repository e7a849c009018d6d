package cmd

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ft/configs"
	"ft/dataset"
	"ft/internal/atomicfile"
	"ft/internal/ui"
)

// checkFlags are the flags of ft data check.
type checkFlags struct {
	configFlags
	json, rows, force bool
	out               string
	list              []string
}

func newDataCheckCmd(s *ui.Streams) *cobra.Command {
	var o checkFlags
	c := &cobra.Command{
		Use:   "check (--config FILE.yaml | FILE …)",
		Short: "Check data: what is left out and why, what is worth a look, the parts and what they share",
		Long: `Read, clean and split data as training would, and tell what came of it: rows left out by reason, rows worth a look, the languages, the
sizes of the parts, and the leaks: rows of val and test that ask what a part before them asks too. A run stops at leaks, and so does
this verb, with exit code 1 behind its report, unless data.split.leaks is accept. With a base, token lengths are told as well.

--list REASON shows all rows of a reason, --rows those of all reasons. --out writes the rows that are left after cleaning.`,
		Example: `  ft data check rows.jsonl
  ft data check rows.jsonl --list text_fixed
  ft data check --config configs/med.yaml --base model.gguf --json
  ft data check rows.csv --set data.clean.near=drop --out clean.jsonl.gz`,
		PreRunE: func(*cobra.Command, []string) error {
			switch {
			case o.force && o.out == "":
				return errors.New("--force is for --out")
			case o.json && len(o.list) > 0:
				return errors.New("--list is for people; --json --rows has all rows")
			}
			return nil
		},
		RunE: func(*cobra.Command, []string) error { return o.run(s) },
	}
	o.register(c)
	f := c.Flags()
	f.BoolVar(&o.json, "json", false, "one JSON object on stdout")
	f.StringSliceVar(&o.list, "list", nil, "show all rows of these reasons; may be repeated")
	f.BoolVar(&o.rows, "rows", false, "show all rows of all reasons")
	f.StringVar(&o.out, "out", "", "write the clean rows to this .jsonl or .jsonl.gz file")
	f.BoolVar(&o.force, "force", false, "let --out replace a file")
	return c
}

func (o *checkFlags) run(s *ui.Streams) error {
	if err := o.checkOut(); err != nil {
		return err
	}
	c, err := o.load(false)
	if err != nil {
		return err
	}
	d, err := loadData(c.Data, rowSource())
	if err != nil {
		return err
	}
	defer d.close()
	check, err := checkData(c, d, *s)
	if err != nil {
		return err
	}
	if o.out != "" {
		if err := writeRows(o.out, d.rows, c.Data.Split); err != nil {
			return err
		}
		s.Note("wrote %s: %s rows", o.out, ui.Count(d.rows.Len()))
	}
	if err := o.tell(check, d, s); err != nil {
		return err
	}
	if l := check.Leaks; l.Rows > 0 && !l.Accepted {
		what := "rows of val and test leak"
		if l.Rows == 1 {
			what = "row of val and test leaks"
		}
		return fmt.Errorf("%d %s: a run would stop", l.Rows, what)
	}
	return nil
}

func (o *checkFlags) checkOut() error {
	if o.out == "" {
		return nil
	}
	if name := strings.TrimSuffix(o.out, ".gz"); !strings.HasSuffix(name, ".jsonl") {
		return usageError{fmt.Errorf("--out: expected a .jsonl or .jsonl.gz file, got %s", o.out)}
	}
	if _, err := os.Lstat(o.out); err == nil && !o.force {
		return fmt.Errorf("%s is there already; --force replaces it", o.out)
	}
	return nil
}

// writeRows writes rows as JSON lines, compressed if the name says so. The file appears whole or not at all.
func writeRows(path string, rows dataset.View, c dataset.SplitConfig) error {
	f, err := atomicfile.Create(path)
	if err != nil {
		return err
	}
	defer f.Abort()
	var w io.Writer = f
	var zip *gzip.Writer
	if strings.HasSuffix(path, ".gz") {
		zip = gzip.NewWriter(f)
		w = zip
	}
	if err := rows.WriteJSONL(w, c); err != nil {
		return err
	}
	if zip != nil {
		if err := zip.Close(); err != nil {
			return err
		}
	}
	return f.Commit()
}

// tell prints the report, or the rows that are asked for.
func (o *checkFlags) tell(check *dataCheck, d *data, s *ui.Streams) error {
	var listed []dataset.Detail
	if o.rows || len(o.list) > 0 {
		for _, reason := range o.list {
			if _, ok := check.IDs[reason]; !ok {
				return fmt.Errorf("--list: no row has the reason %q (have: %s)", reason, strings.Join(check.reasons(), ", "))
			}
		}
		err := check.Details(d.table.View(), o.list, func(r dataset.Detail) error {
			listed = append(listed, r)
			return nil
		})
		if err != nil {
			return err
		}
	}
	switch {
	case o.json:
		check.Listed = listed
		return writeJSON(s.Out, check)
	case o.rows || len(o.list) > 0:
		return printDetails(s.Out, listed)
	}
	return check.print(s)
}

// dataCheck is what ft data check tells.
type dataCheck struct {
	*dataset.Report
	// SharedQuestions is the number of rows of val and test whose question, but for white space, train has too; SharedGroups that
	// of those whose group field train has too.
	SharedQuestions int        `json:"shared_questions"`
	SharedGroups    int        `json:"shared_groups"`
	Parts           checkParts `json:"parts"`
	// Listed are the rows of the report, with --rows.
	Listed []dataset.Detail `json:"listed,omitempty"`
	config configCheck      // for people
}

type configCheck struct {
	base string
}

type checkParts struct {
	Train checkPart `json:"train"`
	Val   checkPart `json:"val"`
	Test  checkPart `json:"test"`
}

type checkPart struct {
	Rows      int `json:"rows"`
	Questions int `json:"questions"` // that differ by more than white space
	// Of val and test: the rows whose question, or whose group field, train has too.
	SharedQuestions int              `json:"shared_questions,omitempty"`
	SharedGroups    int              `json:"shared_groups,omitempty"`
	Tokens          *dataset.Lengths `json:"tokens,omitempty"` // of the samples, as training sees them
}

// reasons are those of which there are rows.
func (check *dataCheck) reasons() []string {
	var names []string
	for name := range check.IDs {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// checkData goes the way of the rows up to the first training step.
func checkData(c *configs.Config, d *data, streams ui.Streams) (*dataCheck, error) {
	check := &dataCheck{Report: d.report, config: configCheck{c.Base}}
	shared, err := d.parts.Shared()
	if err != nil {
		return nil, err
	}
	for i, p := range []*checkPart{&check.Parts.Train, &check.Parts.Val, &check.Parts.Test} {
		p.Rows, p.Questions, p.SharedQuestions, p.SharedGroups = shared.Rows[i], shared.Questions[i], shared.SameQuestion[i], shared.SameGroup[i]
		check.SharedQuestions += p.SharedQuestions
		check.SharedGroups += p.SharedGroups
	}
	if err := dataset.CheckLeaks(d.parts, c.Data.Split, d.report); err != nil && !errors.Is(err, dataset.ErrLeaks) {
		return nil, err
	}
	if c.Base == "" {
		return check, nil
	}
	return check, check.measure(c, d, streams)
}

// measure tokenizes all parts. What is too long for training goes into the report; the test part is not trained on and
// keeps all its rows. Lengths are judged by tokens then.
func (check *dataCheck) measure(c *configs.Config, d *data, streams ui.Streams) error {
	s, err := openFormat(c, streams)
	if err != nil {
		return err
	}
	defer s.close()
	var train, val, test dataset.Meter
	var ids []string
	var tokens []int
	into := func(m *dataset.Meter) func(dataset.Sample) error {
		return func(s dataset.Sample) error {
			ids, tokens = append(ids, s.ID), append(tokens, len(s.IDs))
			return m.Add(s)
		}
	}
	if err := encodeParts(d, c.Data, s.format, into(&train), into(&val)); err != nil {
		return err
	}
	whole := c.Data
	whole.MaxTokens = math.MaxInt
	unused := &dataset.Report{Dropped: map[string]int{}, Notes: map[string]int{}, IDs: map[string][]string{}}
	if err := dataset.Encode(d.parts.Test, whole, s.format, unused, into(&test)); err != nil {
		return err
	}
	for _, m := range []struct {
		part  *checkPart
		meter *dataset.Meter
	}{{&check.Parts.Train, &train}, {&check.Parts.Val, &val}, {&check.Parts.Test, &test}} {
		l := m.meter.Lengths()
		m.part.Tokens = &l
	}
	check.LengthOutliers(c.Data.Clean, ids, tokens)
	return nil
}

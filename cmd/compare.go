package cmd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ft/configs"
	"ft/internal/atomicfile"
	"ft/internal/compare"
	"ft/internal/run"
	"ft/internal/ui"
	"ft/trainer"
)

func newCompareCmd(s *ui.Streams) *cobra.Command {
	var o compareFlags
	c := &cobra.Command{
		Use:   "compare --config FILE.yaml",
		Short: "Train several methods on one base and one split, and show them side by side",
		Long: `Train several methods on one base, one split and one budget, one after another, and show them side by side: trainable parameters, the
memory of the optimizer, peak memory, time, validation loss, scores on the test part and the size on disk, the base as the first row. The
same is written as an HTML page with the curves, which needs no network.

The config has the usual sections but method, and a list: each entry has a method, and may have a name and a train section with what
differs for it. An entry is an ordinary run with a directory of its own, and runs in a process of its own: its peak memory is its own, and
if the system ends it for want of memory, the others go on.

  compare:
    - {name: full, method: {kind: full}, train: {lr: 2.0e-5}}
    - {name: lora, method: {kind: lora, rank: 16}}

Run again, the comparison goes on where it stopped: a finished run is used if its config, the program, the machine and the files it read
are the same.`,
		Example: `  ft compare --config configs/compare.yaml
  ft compare --config c.yaml --set train.steps=50 --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c, *s) },
	}
	f := c.Flags()
	f.StringVar(&o.config, "config", "", "the comparison's YAML file")
	f.StringArrayVar(&o.set, "set", nil, "key.path=value for all entries, stronger than the file; may be repeated")
	f.StringVar(&o.html, "html", "", "where to write the page (default: the config's name in its out folder)")
	f.BoolVar(&o.again, "again", false, "train all entries anew")
	f.BoolVar(&o.dryRun, "dry-run", false, "check everything and say what would happen, but train nothing")
	f.BoolVar(&o.json, "json", false, "one JSON object on stdout")
	f.StringVar(&o.entry, "entry", "", "train this entry alone, in this process")
	f.StringVar(&o.baseRun, "base-answers", "", "with --entry: a run of the comparison that has the base's answers")
	for _, inner := range []string{"entry", "base-answers"} {
		f.Lookup(inner).Hidden = true
	}
	return c
}

type compareFlags struct {
	config, html, entry, baseRun string
	set                          []string
	again, dryRun, json          bool

	since time.Time // runs from before are not used
}

func (o *compareFlags) run(c *cobra.Command, s ui.Streams) error {
	if o.config == "" {
		return usageError{errors.New("--config is needed: ft compare --config FILE.yaml")}
	}
	entries, err := loadComparison(o.config, o.set)
	if err != nil {
		return err
	}
	if o.entry != "" {
		for _, e := range entries {
			if e.Name == o.entry {
				return trainAfter(c.Context(), e.Config, os.Args, s, o.baseRun)
			}
		}
		return usageError{fmt.Errorf("--entry: %s has no entry %q", o.config, o.entry)}
	}
	if err := o.check(entries, s); err != nil || o.dryRun {
		return err
	}
	if o.again {
		o.since = time.Now()
	}
	report, failed, err := o.compare(c, entries, s)
	if err != nil {
		return err
	}
	if err := o.show(report, entries[0].Config.Out, s); err != nil {
		return err
	}
	if len(failed) > 0 {
		return fmt.Errorf("compare: %d of %d runs failed: %s", len(failed), len(entries), strings.Join(failed, ", "))
	}
	return nil
}

// loadComparison reads a config of ft compare with flags and environment on top.
func loadComparison(file string, set []string) ([]configs.Entry, error) {
	return configs.LoadCompare(configs.Options{File: file, Set: set, Env: true, NeedBase: true, Method: methodConfig})
}

// check prepares every entry as its run will, so that a slip in the last one is found before the first is trained.
func (o *compareFlags) check(entries []configs.Entry, s ui.Streams) error {
	quiet := s
	quiet.Quiet = true
	var errs []error
	for i, e := range entries {
		notes := quiet
		if i == 0 {
			notes = s
		}
		p, err := prepare(e.Config, notes)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", e.Name, err))
			continue
		}
		if o.dryRun {
			s.Note("entry    %s", e.Name)
			p.summary(s)
		}
		p.close()
	}
	debug.FreeOSMemory() // the runs need it
	if o.dryRun && len(errs) == 0 {
		s.Note("dry run: nothing was trained or written")
	}
	return errors.Join(errs...)
}

// compare trains the entries that have no finished run and gathers what came of all. failed are the names of those that did not
// end well.
func (o *compareFlags) compare(c *cobra.Command, entries []configs.Entry, s ui.Streams) (report *compare.Report, failed []string, err error) {
	g := &gathering{report: &compare.Report{Config: filepath.Base(o.config), Base: entries[0].Config.Base, Rows: []compare.Row{{Name: "base"}}}}
	for i, e := range entries {
		r, err := o.finished(e)
		if err != nil {
			return nil, nil, err
		}
		if r != nil {
			s.Note("%s: using the finished run %s (its config, program, machine and files are the same)", e.Name, r.Dir)
		} else {
			s.Note("%s: run %d of %d", e.Name, i+1, len(entries))
			err := o.child(c, e.Name, g.first, s)
			if errors.Is(err, trainer.ErrInterrupted) {
				s.Note("the comparison goes on from here when it is run again: finished runs are used")
				return nil, nil, err
			}
			if err == nil {
				r, err = o.finished(e)
			}
			if err == nil && r == nil {
				err = errors.New("its run is not to be found, or a file that it read has changed meanwhile")
			}
			if err != nil {
				s.Warn("%s: %v", e.Name, err)
				failed = append(failed, e.Name)
				g.report.Rows = append(g.report.Rows, compare.Row{Name: e.Name, Method: e.Config.Method.Kind, Error: err.Error()})
				continue
			}
		}
		if err := g.add(e, r, &s); err != nil {
			return nil, nil, err
		}
	}
	return g.report, failed, nil
}

// finished is the newest finished run of an entry that is what a new one would be; nil if there is none.
func (o *compareFlags) finished(e configs.Entry) (*run.Run, error) {
	config, err := e.Config.Marshal()
	if err != nil {
		return nil, err
	}
	runs, _ := run.List(e.Config.Out) // those that cannot be read are none of ours
	for i := len(runs) - 1; i >= 0; i-- {
		r := runs[i]
		if r.Info.Name != e.Config.Name || r.Info.Started.Before(o.since) {
			continue
		}
		written, err := os.ReadFile(r.Path(run.ConfigFile))
		if err == nil && string(written) == string(config) && current(r) {
			return r, nil
		}
	}
	return nil, nil
}

// show prints the report and writes its page.
func (o *compareFlags) show(r *compare.Report, out string, s ui.Streams) error {
	path := o.html
	if path == "" {
		path = filepath.Join(out, strings.TrimSuffix(r.Config, filepath.Ext(r.Config))+".html")
	}
	var page strings.Builder
	if err := r.HTML(&page); err != nil {
		return err
	}
	if err := atomicfile.WriteFile(path, []byte(page.String())); err != nil {
		return err
	}
	r.Page = path
	var err error
	if o.json {
		err = writeJSON(s.Out, r)
	} else {
		err = r.Table(s.Out)
	}
	s.Note("page     %s", path)
	return err
}

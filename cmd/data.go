package cmd

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"ft/configs"
	"ft/dataset"
	"ft/internal/atomicfile"
	"ft/internal/ui"
)

func newDataCmd(s *ui.Streams) *cobra.Command {
	c := newGroup("data", "Check, show, split and measure training data")
	c.AddCommand(newDataCheckCmd(s), newDataShowCmd(s), newDataSplitCmd(s), newDataStatsCmd(s))
	return c
}

// configFlags name a config: a file, or the data files that stand as arguments and defaults for all else.
type configFlags struct {
	file, base string
	set        []string
	data       []string // the arguments
}

func (o *configFlags) register(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.file, "config", "", "the run's YAML file; not needed if data files are given")
	f.StringVar(&o.base, "base", "", "the model whose tokenizer and template to use; stronger than the config's")
	f.StringArrayVar(&o.set, "set", nil, "key.path=value, stronger than the file; may be repeated")
	c.Args = func(_ *cobra.Command, args []string) error {
		if o.data = args; o.file == "" && len(args) == 0 {
			return errors.New("give data files, or --config FILE.yaml")
		}
		return nil
	}
}

// load reads the config. Data files that are given take the place of the config's.
func (o *configFlags) load(needBase bool) (*configs.Config, error) {
	return readConfig(configs.Options{
		File: o.file, Set: o.set, Data: o.data, Base: o.base, Env: true, NeedBase: needBase,
	})
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
		Use:   "split (--config FILE.yaml | FILE …)",
		Short: "Divide a config's data into train, val and test",
		Long: `Divide a config's data into train, val and test as training would, and print the sizes or with --json the ids of each part.
--out writes a manifest, ids with hashes of their rows, that data.split.manifest can name to keep the split for good.`,
		Example: `  ft data split --config configs/med.yaml --json
  ft data split --config med.yaml --set data.split.seed=7 --out split.json`,
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
	c, err := o.load(false)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(o.out); err == nil && !o.force {
		return fmt.Errorf("%s is there already; --force replaces it", o.out)
	}
	d, err := loadData(c.Data, rowSource())
	if err != nil {
		return err
	}
	defer d.close()
	if err := dataset.CheckLeaks(d.parts, c.Data.Split, d.report); err != nil {
		return err
	}
	if l := d.report.Leaks; l.Rows > 0 {
		s.Note("%s", leaksAccepted(l))
	}
	if o.out != "" {
		if err := writeManifest(o.out, d.parts); err != nil {
			return err
		}
		s.Note("wrote %s", o.out)
	}
	if o.json {
		return d.parts.WriteManifest(s.Out, false)
	}
	var rows [][]string
	total := float64(d.parts.Train.Len() + d.parts.Val.Len() + d.parts.Test.Len())
	for _, p := range []struct {
		name string
		rows int
	}{{"train", d.parts.Train.Len()}, {"val", d.parts.Val.Len()}, {"test", d.parts.Test.Len()}} {
		rows = append(rows, []string{p.name, ui.Count(p.rows), fmt.Sprintf("%.1f %%", 100*float64(p.rows)/total)})
	}
	return ui.Table(s.Out, []string{"part", "rows", "share"}, rows)
}

func writeManifest(path string, parts dataset.Parts) error {
	f, err := atomicfile.Create(path)
	if err != nil {
		return err
	}
	defer f.Abort()
	if err := parts.WriteManifest(f, true); err != nil {
		return err
	}
	return f.Commit()
}

package cmd

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"ft/internal/profile"
	"ft/internal/ui"
)

func newLoraCmd(s *ui.Streams) *cobra.Command {
	var o trainFlags
	c := &cobra.Command{
		Use:   "lora --config FILE.yaml",
		Short: "Train a LoRA adapter, and score base and tuned model side by side",
		Long: `Train an adapter of LoRA or its kin (method.kind lora, adalora or vera) on question–answer data, keep the best one, and answer the
test part with the base and with the tuned model. AdaLoRA and VeRA start slowly and want a larger train.lr than LoRA, 1e-3 to 1e-2.

Everything of a run lies in one directory under runs/: the resolved config, the split, the log, TensorBoard's events, the
adapter in Hugging Face PEFT's format, the answers and the scores. Ctrl-C finishes the step, saves and ends with code 130.

What a model says about medicine is for testing software, not medical advice.`,
		Example: `  ft lora --config configs/med.yaml
  ft lora --config med.yaml --set train.lr=1e-4 --set method.rank=8 --name med-r8`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return o.run(c, *s, "lora", "dora", "pissa", "adalora", "vera")
		},
	}
	o.register(c)
	return c
}

// trainFlags are the flags of the training verbs.
type trainFlags struct {
	config  string
	set     []string
	name    string
	fold    string
	dryRun  bool
	profile bool
}

func (o *trainFlags) register(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.config, "config", "", "the run's YAML file")
	f.StringArrayVar(&o.set, "set", nil, "key.path=value, stronger than the file; may be repeated")
	f.StringVar(&o.name, "name", "", "the run's name (default: the config file's)")
	f.StringVar(&o.fold, "fold", "", "with data.split.folds: the fold to test on, or all, to train every fold and show mean and deviation")
	f.BoolVar(&o.profile, "profile", false, "tell at the end where the time went, stage by stage")
	f.BoolVar(&o.dryRun, "dry-run", false, "check everything and say what would happen, but train nothing")
}

// run trains with a method of the verb's kind.
func (o *trainFlags) run(c *cobra.Command, s ui.Streams, kinds ...string) error {
	if o.config == "" {
		return usageError{errors.New("--config is needed: ft " + c.Name() + " --config FILE.yaml")}
	}
	if o.profile {
		profile.Enable()
		defer profile.Disable()
	}
	cfg, err := loadConfig(o.config, o.set, true)
	if err != nil {
		return err
	}
	if err := checkKind(cfg.Method.Kind, c.Name(), kinds); err != nil {
		return err
	}
	if o.name != "" {
		cfg.Name = o.name
	}
	if o.fold != "" {
		if done, err := o.folds(c, cfg, s); done || err != nil {
			return err
		}
	}
	if o.dryRun {
		p, err := prepare(cfg, s)
		if err != nil {
			return err
		}
		defer p.close()
		p.summary(s)
		s.Note("dry run: nothing was trained or written")
		return nil
	}
	return train(c.Context(), cfg, os.Args, s)
}

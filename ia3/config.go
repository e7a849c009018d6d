package ia3

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"ft/nn"
	"ft/peft"
)

// Config is the `method` section of a config file when its kind is ia3.
type Config struct {
	// Targets are the layers to adapt: a list of module names, a regular expression, or all-linear. Empty, they are PEFT's for the
	// model's family: keys or queries, values, and the MLP's last layer.
	Targets peft.Names `yaml:"targets"`
	// FeedForward are the targets whose input is scaled and not their output, named as in Targets. Missing, they are PEFT's for the
	// family; an empty list is none.
	FeedForward peft.Names `yaml:"feedforward"`
	// Exclude takes layers out of Targets: a list of module names or a regular expression.
	Exclude peft.Names `yaml:"exclude"`
}

// Default returns the settings of a run that names none.
func Default() Config { return Config{} }

// Validate reports every value out of bounds, joined, each as `key: what is wrong`.
func (c Config) Validate() error {
	probe := c.targets()
	if c.Targets.Empty() {
		probe.Modules = peft.AllLinear() // stands in for the family's
	}
	err := probe.Validate()
	if c.FeedForward.Expr != "" {
		if _, bad := peft.WholePattern(c.FeedForward.Expr); bad != nil {
			err = errors.Join(err, fmt.Errorf("feedforward: %w", bad))
		}
	}
	return err
}

func (c Config) targets() peft.Targets { return peft.Targets{Modules: c.Targets, Exclude: c.Exclude} }

// complete fills in the family's targets where c names none.
func (c Config) complete(h peft.Host) (Config, error) {
	if c.Targets.Empty() {
		if c.Targets.List = h.DefaultTargets("ia3"); len(c.Targets.List) == 0 {
			return c, missing("targets", h)
		}
	}
	if c.FeedForward.Empty() && c.FeedForward.List == nil {
		if c.FeedForward.List = h.DefaultTargets("ia3_feedforward"); c.FeedForward.List == nil {
			return c, missing("feedforward", h)
		}
	}
	return c, nil
}

func missing(key string, h peft.Host) error {
	return fmt.Errorf("%s: PEFT has no default for model type %q: name layers, such as targets [k_proj, v_proj, down_proj] with feedforward [down_proj]",
		key, h.ModelType())
}

// scalesInput is a function that reports whether a target's input is scaled. As in PEFT a list entry fits a path that ends in it, be it in
// the middle of a word, and an expression must match the whole path.
func (c Config) scalesInput() (func(*nn.Linear) (bool, error), error) {
	if c.FeedForward.Expr != "" {
		p, err := peft.WholePattern(c.FeedForward.Expr)
		if err != nil {
			return nil, fmt.Errorf("feedforward: %w", err)
		}
		return func(l *nn.Linear) (bool, error) { return p.Match(l.Name) }, nil
	}
	return func(l *nn.Linear) (bool, error) {
		return slices.ContainsFunc(c.FeedForward.List, func(entry string) bool { return strings.HasSuffix(l.Name, entry) }), nil
	}, nil
}

// checkFeedForward is an error if a name in FeedForward fits no target: it is a slip.
func (c Config) checkFeedForward(targets []*nn.Linear) error {
	var errs []error
	for _, entry := range c.FeedForward.List {
		if !slices.ContainsFunc(targets, func(l *nn.Linear) bool { return strings.HasSuffix(l.Name, entry) }) {
			errs = append(errs, fmt.Errorf("feedforward: %q is the name of no target; the targets are %v", entry, c.Targets))
		}
	}
	return errors.Join(errs...)
}

package trainer

import "ft/optim"

// ScheduleOptions is the `train.schedule_options` section: what some schedules take beside the learning rate and the warm-up, by the
// names of Hugging Face transformers. optim.Schedules says which schedule takes which; one that it does not take is an error.
type ScheduleOptions struct {
	// NumCycles is the number of waves of a cosine.
	NumCycles *float64 `yaml:"num_cycles,omitempty"`
	// MinLR is the learning rate at the end; MinLRRate and MinLRRatio say it as a share of train.lr.
	MinLR      *float64 `yaml:"min_lr,omitempty"`
	MinLRRate  *float64 `yaml:"min_lr_rate,omitempty"`
	MinLRRatio *float64 `yaml:"min_lr_ratio,omitempty"`
	// WarmupLRRate is the share of train.lr that the warm-up starts from.
	WarmupLRRate *float64 `yaml:"warmup_lr_rate,omitempty"`
	// LREnd and Power shape a polynomial.
	LREnd *float64 `yaml:"lr_end,omitempty"`
	Power *float64 `yaml:"power,omitempty"`
	// Timescale is the step at which inverse_sqrt has its unit.
	Timescale *float64 `yaml:"timescale,omitempty"`
	// NumDecaySteps and NumStableSteps divide the steps of warmup_stable_decay; WarmupType and DecayType are linear, cosine or
	// 1-sqrt.
	NumDecaySteps  *int    `yaml:"num_decay_steps,omitempty"`
	NumStableSteps *int    `yaml:"num_stable_steps,omitempty"`
	WarmupType     *string `yaml:"warmup_type,omitempty"`
	DecayType      *string `yaml:"decay_type,omitempty"`
}

// given are the options that are set, in the form of optim.
func (o ScheduleOptions) given() map[string]any {
	m := map[string]any{}
	put(m, "num_cycles", o.NumCycles)
	put(m, "min_lr", o.MinLR)
	put(m, "min_lr_rate", o.MinLRRate)
	put(m, "min_lr_ratio", o.MinLRRatio)
	put(m, "warmup_lr_rate", o.WarmupLRRate)
	put(m, "lr_end", o.LREnd)
	put(m, "power", o.Power)
	put(m, "timescale", o.Timescale)
	put(m, "num_decay_steps", o.NumDecaySteps)
	put(m, "num_stable_steps", o.NumStableSteps)
	put(m, "warmup_type", o.WarmupType)
	put(m, "decay_type", o.DecayType)
	return m
}

func put[T any](m map[string]any, name string, v *T) {
	if v != nil {
		m[name] = *v
	}
}

// newSchedule is the learning rate by step of a run of total optimizer steps, the first of which is step 0.
func (c Config) newSchedule(total int) (optim.Schedule, error) {
	return optim.NewSchedule(c.Schedule, optim.ScheduleConfig{
		LR: c.LR, Warmup: int(c.Warmup*float64(total) + rounding), Total: total, Options: c.ScheduleOptions.given(),
	})
}

package optim

import (
	"fmt"
	"math"
	"strings"
)

// ScheduleConfig is what every schedule is made from.
type ScheduleConfig struct {
	// LR is the peak learning rate.
	LR float64
	// Warmup and Total are numbers of optimizer steps. Total includes Warmup.
	Warmup, Total int
	// Options are the named schedule's own settings, numbers or strings; see Schedules.
	Options map[string]any
}

// Schedule gives the learning rate of a step; the first step is 0.
type Schedule func(step int) float64

// factor gives the share of the peak learning rate that a step uses.
type factor func(step float64) float64

// schedules is the table of all schedules: to add one, write its function and add a line.
var schedules = []struct {
	name string
	make func(c ScheduleConfig, o *options) factor
}{
	{"constant", func(ScheduleConfig, *options) factor { return func(float64) float64 { return 1 } }},
	{"constant_with_warmup", func(c ScheduleConfig, _ *options) factor { return c.warmed(func(float64) float64 { return 1 }) }},
	{"linear", linear},
	{"cosine", cosine},
	{"cosine_with_restarts", cosineWithRestarts},
	{"cosine_with_min_lr", cosineWithMinLR},
	{"cosine_warmup_with_min_lr", cosineWarmupWithMinLR},
	{"polynomial", polynomial},
	{"inverse_sqrt", inverseSqrt},
	{"warmup_stable_decay", warmupStableDecay},
}

// Schedules lists the names that NewSchedule knows. Their options:
//
//	cosine                     num_cycles (0.5: half a wave)
//	cosine_with_restarts       num_cycles (1)
//	cosine_with_min_lr         num_cycles (0.5); min_lr, or min_lr_rate as a share of the peak
//	cosine_warmup_with_min_lr  the same, and warmup_lr_rate, the share of the peak at step 0
//	polynomial                 lr_end (1e-7), power (1)
//	inverse_sqrt               timescale (the warm-up, or 10000 without one)
//	warmup_stable_decay        num_decay_steps (required), num_stable_steps (what is left), warmup_type (linear),
//	                           decay_type (cosine), both linear, cosine or 1-sqrt; min_lr_ratio (0), num_cycles (0.5)
func Schedules() []string {
	names := make([]string, len(schedules))
	for i, s := range schedules {
		names[i] = s.name
	}
	return names
}

// NewSchedule returns the schedule of that name. The formulas and option names are those of Hugging
// Face transformers' get_scheduler. An unknown name or option, a missing one, or a number out of
// range is an error.
func NewSchedule(name string, c ScheduleConfig) (Schedule, error) {
	if !(c.LR > 0) || math.IsInf(c.LR, 0) {
		return nil, fmt.Errorf("optim: schedule: the learning rate must be finite and above 0, got %g", c.LR)
	}
	if c.Warmup < 0 || c.Total < 0 {
		return nil, fmt.Errorf("optim: schedule: %d warm-up and %d total steps: neither may be negative", c.Warmup, c.Total)
	}
	for _, s := range schedules {
		if s.name != name {
			continue
		}
		o := &options{given: c.Options}
		f := s.make(c, o)
		if err := o.check(); err != nil {
			return nil, fmt.Errorf("optim: schedule %s: %w", name, err)
		}
		return func(step int) float64 { return c.LR * f(float64(step)) }, nil
	}
	return nil, fmt.Errorf("optim: unknown schedule %q (have: %s)", name, strings.Join(Schedules(), ", "))
}

// warmed rises from 0 to 1 over the warm-up and then goes on with after.
func (c ScheduleConfig) warmed(after factor) factor {
	warmup := float64(c.Warmup)
	return func(step float64) float64 {
		if step < warmup {
			return step / warmup
		}
		return after(step)
	}
}

// progress is how far step is on the way from the end of the warm-up (0) to the end (1).
func (c ScheduleConfig) progress(step float64) float64 {
	return (step - float64(c.Warmup)) / float64(max(1, c.Total-c.Warmup))
}

// wave is a cosine that starts at 1 and has seen cycles full waves when progress is 1.
func wave(cycles, progress float64) float64 {
	return 0.5 * (1 + math.Cos(math.Pi*cycles*2*progress))
}

// above lifts a factor that ends at 0 so that it ends at floor.
func above(floor, f float64) float64 {
	return max(0, f*(1-floor)+floor)
}

func linear(c ScheduleConfig, _ *options) factor {
	left := float64(max(1, c.Total-c.Warmup))
	return c.warmed(func(step float64) float64 { return max(0, (float64(c.Total)-step)/left) })
}

func cosine(c ScheduleConfig, o *options) factor {
	cycles := o.number("num_cycles", 0.5)
	return c.warmed(func(step float64) float64 { return max(0, wave(cycles, c.progress(step))) })
}

func cosineWithRestarts(c ScheduleConfig, o *options) factor {
	cycles := o.number("num_cycles", 1)
	return c.warmed(func(step float64) float64 {
		p := c.progress(step)
		if p >= 1 {
			return 0
		}
		return max(0, wave(0.5, math.Mod(cycles*p, 1)))
	})
}

// minRate reads the floor of a cosine as a share of the peak.
func minRate(c ScheduleConfig, o *options) float64 {
	rate, lr := o.number("min_lr_rate", 0), o.number("min_lr", 0)
	switch hasRate, hasLR := o.has("min_lr_rate"), o.has("min_lr"); {
	case hasRate == hasLR:
		o.fail("needs one of min_lr and min_lr_rate")
	case hasLR:
		rate = lr / c.LR
	}
	return rate
}

func cosineWithMinLR(c ScheduleConfig, o *options) factor {
	cycles, floor := o.number("num_cycles", 0.5), minRate(c, o)
	return c.warmed(func(step float64) float64 { return above(floor, wave(cycles, c.progress(step))) })
}

// cosineWarmupWithMinLR counts its steps from 1, so that neither the first nor the last one is lost.
func cosineWarmupWithMinLR(c ScheduleConfig, o *options) factor {
	cycles, floor := o.number("num_cycles", 0.5), minRate(c, o)
	first, warmup := o.number("warmup_lr_rate", 0), float64(c.Warmup)
	return func(step float64) float64 {
		switch {
		case step >= warmup:
			return above(floor, wave(cycles, c.progress(step+1)))
		case o.has("warmup_lr_rate"):
			return first + (1-first)*step/max(1, warmup-1)
		default:
			return (step + 1) / warmup
		}
	}
}

func polynomial(c ScheduleConfig, o *options) factor {
	end, power := o.number("lr_end", 1e-7)/c.LR, o.number("power", 1)
	if end >= 1 {
		o.fail("lr_end must be below the learning rate %g", c.LR)
	}
	return c.warmed(func(step float64) float64 {
		if step > float64(c.Total) {
			return end
		}
		return (1-end)*math.Pow(1-c.progress(step), power) + end
	})
}

func inverseSqrt(c ScheduleConfig, o *options) factor {
	scale := float64(c.Warmup)
	if c.Warmup == 0 {
		scale = 10_000
	}
	scale = o.number("timescale", scale)
	if scale <= 0 {
		o.fail("timescale must be above 0, got %g", scale)
	}
	return c.warmed(func(step float64) float64 { return math.Sqrt(scale / (step - float64(c.Warmup) + scale)) })
}

// ramps are the ways from 1 down to 0 (for the cosine: over that many waves) as progress goes from 0 to 1.
var ramps = map[string]func(cycles, progress float64) float64{
	"linear": func(_, progress float64) float64 { return 1 - progress },
	"cosine": wave,
	"1-sqrt": func(_, progress float64) float64 { return 1 - math.Sqrt(progress) },
}

func warmupStableDecay(c ScheduleConfig, o *options) factor {
	if !o.has("num_decay_steps") {
		o.fail("needs num_decay_steps")
	}
	decay := o.number("num_decay_steps", 0)
	stable := o.number("num_stable_steps", float64(c.Total-c.Warmup)-decay)
	floor, cycles := o.number("min_lr_ratio", 0), o.number("num_cycles", 0.5)
	rise, fall := o.ramp("warmup_type", "linear"), o.ramp("decay_type", "cosine")
	warmup := float64(c.Warmup)
	return func(step float64) float64 {
		switch end := warmup + stable; {
		case step < warmup:
			return above(floor, ramps[rise](0.5, 1-step/warmup)) // a fall read backwards
		case step < end:
			return 1
		case step < end+decay:
			return above(floor, ramps[fall](cycles, (step-end)/decay))
		default:
			return floor
		}
	}
}

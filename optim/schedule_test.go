package optim

import (
	"math"
	"strings"
	"testing"
)

// TestSchedule_landmarks checks the values one knows without a reference: start, peak, middle, end.
func TestSchedule_landmarks(t *testing.T) {
	type points map[int]float64
	for _, c := range []struct {
		name    string
		options map[string]any
		want    points
	}{
		{"constant", nil, points{0: 1, 99: 1}},
		{"constant_with_warmup", nil, points{0: 0, 5: 0.5, 10: 1, 99: 1}},
		{"linear", nil, points{0: 0, 10: 1, 60: 0.5, 110: 0, 200: 0}},
		{"cosine", nil, points{0: 0, 10: 1, 60: 0.5, 110: 0}},
		{"cosine", map[string]any{"num_cycles": 1}, points{60: 0, 110: 1}},
		{"cosine_with_restarts", map[string]any{"num_cycles": 2}, points{10: 1, 35: 0.5, 60: 1, 85: 0.5, 110: 0}},
		{"cosine_with_min_lr", map[string]any{"min_lr_rate": 0.2}, points{0: 0, 10: 1, 60: 0.6, 110: 0.2}},
		{"cosine_with_min_lr", map[string]any{"min_lr": 1.0}, points{60: 0.75, 110: 0.5}},
		{"cosine_warmup_with_min_lr", map[string]any{"min_lr_rate": 0.1}, points{0: 0.1, 9: 1, 59: 0.55, 109: 0.1}},
		{"cosine_warmup_with_min_lr", map[string]any{"min_lr_rate": 0.1, "warmup_lr_rate": 0.5}, points{0: 0.5, 9: 1}},
		{"polynomial", map[string]any{"lr_end": 0.2, "power": 2.0}, points{0: 0, 10: 1, 60: 0.9*0.25 + 0.1, 110: 0.1, 300: 0.1}},
		{"inverse_sqrt", nil, points{0: 0, 10: 1, 40: 0.5}},
		{"inverse_sqrt", map[string]any{"timescale": 30}, points{10: 1, 100: 0.5}},
		{"warmup_stable_decay", map[string]any{"num_decay_steps": 20, "min_lr_ratio": 0.1, "decay_type": "1-sqrt"},
			points{0: 0.1, 5: 0.55, 10: 1, 89: 1, 95: 0.55, 110: 0.1, 300: 0.1}},
		{"warmup_stable_decay", map[string]any{"num_decay_steps": 20, "num_stable_steps": 10, "warmup_type": "cosine"},
			points{0: 0, 5: 0.5, 15: 1, 30: 0.5, 40: 0}},
	} {
		s, err := NewSchedule(c.name, ScheduleConfig{LR: 2, Warmup: 10, Total: 110, Options: c.options})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		for step, want := range c.want {
			if got := s(step) / 2; math.Abs(got-want) > 1e-12 {
				t.Errorf("%s %v: step %d: %g of the peak, want %g", c.name, c.options, step, got, want)
			}
		}
	}
}

// TestSchedule_finite runs every schedule over degenerate lengths: no step may give a number that is not
// finite or is negative.
func TestSchedule_finite(t *testing.T) {
	needs := map[string]map[string]any{
		"cosine_with_min_lr": {"min_lr": 0.1}, "cosine_warmup_with_min_lr": {"min_lr": 0.1}, "warmup_stable_decay": {"num_decay_steps": 3},
	}
	for _, name := range Schedules() {
		for _, steps := range [][2]int{{0, 0}, {0, 1}, {1, 1}, {5, 5}, {9, 5}, {0, 7}, {2, 7}} {
			s, err := NewSchedule(name, ScheduleConfig{LR: 1, Warmup: steps[0], Total: steps[1], Options: needs[name]})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for step := range 20 {
				if lr := s(step); !(lr >= 0 && lr <= 1) {
					t.Errorf("%s with %d warm-up steps of %d: step %d: %g", name, steps[0], steps[1], step, lr)
				}
			}
		}
	}
}

func TestNewSchedule_refuses(t *testing.T) {
	ok := ScheduleConfig{LR: 1, Warmup: 1, Total: 10}
	with := func(k string, v any) ScheduleConfig {
		c := ok
		c.Options = map[string]any{k: v}
		return c
	}
	for _, c := range []struct {
		name   string
		config ScheduleConfig
		want   string
	}{
		{"cosin", ok, "have: constant, "},
		{"cosine", ScheduleConfig{LR: math.NaN()}, "learning rate"},
		{"cosine", ScheduleConfig{LR: 1, Warmup: -1}, "negative"},
		{"cosine", with("cycles", 1), `unknown option "cycles" (have: num_cycles)`},
		{"linear", with("power", 1), "it has none"},
		{"cosine", with("num_cycles", "two"), "must be a number"},
		{"cosine", with("num_cycles", math.Inf(1)), "must be finite"},
		{"cosine_with_min_lr", ok, "one of min_lr and min_lr_rate"},
		{"polynomial", with("lr_end", 2), "below the learning rate"},
		{"inverse_sqrt", with("timescale", 0), "above 0"},
		{"warmup_stable_decay", ok, "needs num_decay_steps"},
		{"warmup_stable_decay", with("decay_type", "sine"), "must be one of 1-sqrt, cosine, linear"},
	} {
		if _, err := NewSchedule(c.name, c.config); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %+v: error %v, want %q", c.name, c.config, err, c.want)
		}
	}
}

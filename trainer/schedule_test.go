package trainer

import (
	"math"
	"strings"
	"testing"
)

// TestScheduleOptions: what the section holds reaches the schedule, under the names that the schedule knows.
func TestScheduleOptions(t *testing.T) {
	number := func(v float64) *float64 { return &v }
	count := func(v int) *int { return &v }
	text := func(v string) *string { return &v }
	for _, c := range []struct {
		schedule string
		options  ScheduleOptions
		step     int
		want     float64
	}{
		{"constant", ScheduleOptions{}, 50, 1e-3},
		{"cosine", ScheduleOptions{NumCycles: number(1)}, 50, 0},
		{"cosine_with_restarts", ScheduleOptions{NumCycles: number(2)}, 25, 5e-4},
		{"cosine_with_min_lr", ScheduleOptions{MinLR: number(1e-4)}, 100, 1e-4},
		{"cosine_with_min_lr", ScheduleOptions{MinLRRate: number(0.2)}, 100, 2e-4},
		{"polynomial", ScheduleOptions{LREnd: number(1e-5), Power: number(1)}, 100, 1e-5},
		{"inverse_sqrt", ScheduleOptions{Timescale: number(100)}, 300, 5e-4},
		{"warmup_stable_decay", ScheduleOptions{NumDecaySteps: count(20), MinLRRatio: number(0.1), WarmupType: text("cosine"), DecayType: text("linear")}, 79, 1e-3},
		{"warmup_stable_decay", ScheduleOptions{NumDecaySteps: count(20), NumStableSteps: count(50), MinLRRatio: number(0.1)}, 75, 1e-4},
	} {
		config := Default()
		config.LR, config.Warmup, config.Schedule, config.ScheduleOptions = 1e-3, 0, c.schedule, c.options
		if err := config.Validate(); err != nil {
			t.Errorf("%s: %v", c.schedule, err)
			continue
		}
		lr, err := config.newSchedule(100)
		if err != nil {
			t.Errorf("%s: %v", c.schedule, err)
			continue
		}
		if got := lr(c.step); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%s: the rate at step %d is %g, want %g", c.schedule, c.step, got, c.want)
		}
	}
}

func TestScheduleOptions_refused(t *testing.T) {
	half := 0.5
	for schedule, want := range map[string]string{
		"constant":            "unknown option \"power\"",
		"warmup_stable_decay": "needs num_decay_steps",
	} {
		config := Default()
		config.Schedule, config.ScheduleOptions = schedule, ScheduleOptions{Power: &half}
		if err := config.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s with power: %v, want %q", schedule, err, want)
		}
	}
}

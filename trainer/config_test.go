package trainer

import (
	"math"
	"strings"
	"testing"
)

func TestConfig_Validate(t *testing.T) {
	if err := Default().Validate(); err != nil {
		t.Errorf("the default is refused: %v", err)
	}
	for _, c := range []struct {
		change func(*Config)
		want   string // what the error begins with; empty: valid
	}{
		{func(c *Config) { c.Epochs = math.NaN() }, "epochs: must be 0 or more"},
		{func(c *Config) { c.Epochs = 0 }, "epochs: must be above 0 unless"},
		{func(c *Config) { c.Epochs, c.Steps = 0, 10 }, ""},
		{func(c *Config) { c.Steps = -1 }, "steps: must be at least 0"},
		{func(c *Config) { c.Batch = 0 }, "batch: must be at least 1"},
		{func(c *Config) { c.MicroTokens = 0 }, "micro_tokens: must be at least 1"},
		{func(c *Config) { c.Recompute = "yes" }, `recompute: must be one of off, auto, on, got "yes"`},
		{func(c *Config) { c.LR = 0 }, "lr: must be above 0"},
		{func(c *Config) { c.LR = math.Inf(1) }, "lr: must be above 0"},
		{func(c *Config) { c.Schedule = "cosin" }, `schedule: unknown schedule "cosin" (have: constant,`},
		{func(c *Config) { c.Schedule = "constant" }, ""},
		{func(c *Config) { c.Warmup = 100 }, "warmup: must be from 0 to 1"},
		{func(c *Config) { c.WeightDecay = -1 }, "weight_decay: "},
		{func(c *Config) { c.NEFTuneAlpha = math.NaN() }, "neftune_alpha: "},
		{func(c *Config) { c.Clip = math.Inf(1) }, "clip: "},
		{func(c *Config) { c.Patience = -1 }, "patience: "},
	} {
		config := Default()
		c.change(&config)
		err := config.Validate()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)) {
			t.Errorf("%+v: error %v, want %q", config, err, c.want)
		}
	}
}

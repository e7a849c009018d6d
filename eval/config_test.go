package eval

import (
	"strings"
	"testing"
)

func TestConfig_Validate(t *testing.T) {
	if err := Default().Validate(); err != nil {
		t.Errorf("the default is refused: %v", err)
	}
	for _, c := range []struct {
		change func(*Config)
		want   string // part of the error; empty: valid
	}{
		{func(c *Config) { c.Every = -1 }, "every: must be 0 or more"},
		{func(c *Config) { c.MaxNewTokens = 0 }, "max_new_tokens: must be at least 1"},
		{func(c *Config) { c.Limit = -1 }, "limit: "},
		{func(c *Config) { c.Sample = -1 }, "sample: "},
		{func(c *Config) { c.Bootstrap = 50 }, "bootstrap: "},
		{func(c *Config) { c.Metrics, c.Best = []string{"length"}, "length" }, "best: length says neither"},
		{func(c *Config) { c.Metrics = []string{"bleu", "blue"} }, `metrics[1]: unknown metric "blue"`},
		{func(c *Config) { c.Metrics = []string{"bleu", "bleu"} }, "metrics[1]: bleu is listed twice"},
		{func(c *Config) { c.Metrics = []string{"bleu,rouge"} }, "metrics[0]: expected the name of one metric"},
		{func(c *Config) { c.Metrics = nil }, ""},
		{func(c *Config) { c.Best = "rougeLsum" }, ""},
		{func(c *Config) { c.Best = "bleu:zh" }, `best: must be loss or one of bleu, rouge1, rouge2, rougeL, rougeLsum, got "bleu:zh"`},
		{func(c *Config) { c.Best, c.Sample = "bleu", 0 }, "best: bleu needs answers"},
		{func(c *Config) { c.Best, c.Sample, c.Every = "bleu", 0, 0 }, ""},
	} {
		config := Default()
		c.change(&config)
		err := config.Validate()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)) {
			t.Errorf("%+v: error %v, want %q", config, err, c.want)
		}
	}
}

func TestConfig_BestScore(t *testing.T) {
	for best, want := range map[string]string{
		"loss": "loss", "bleu": "bleu", "rouge": "rougeL", "rouge1": "rouge1", "rouge:stem": "rougeL:stem", "f1": "",
	} {
		c := Config{Metrics: []string{"bleu", "rouge", "rouge:stem"}, Best: best}
		if got := c.BestScore(); got != want {
			t.Errorf("BestScore of %q = %q, want %q", best, got, want)
		}
	}
}

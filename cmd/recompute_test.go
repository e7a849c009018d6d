package cmd

import (
	"bytes"
	"strings"
	"testing"

	"ft/internal/ui"
)

// TestRecompute: auto computes twice where half of the free memory is not enough.
func TestRecompute(t *testing.T) {
	_, config := tiny(t, 3)
	for _, c := range []struct {
		set  string
		free int64 // of what the activations take, in thirds
		want bool
	}{{"auto", 0, false}, {"auto", 7, false}, {"auto", 5, true}, {"on", 7, true}, {"on", 0, true}, {"off", 5, false}} {
		cfg, err := loadConfig(config, []string{"train.recompute=" + c.set}, true)
		if err != nil {
			t.Fatal(err)
		}
		var told bytes.Buffer
		p, err := prepare(cfg, ui.Streams{Err: &told})
		if err != nil {
			t.Fatal(err)
		}
		need := p.session.base.Model.StateBytes(256) // the config's micro_tokens
		got := (&training{prepared: p, streams: p.streams}).recompute(c.free * need / 3)
		if noted := strings.Contains(told.String(), "train.recompute"); got != c.want || noted != (c.want && c.set == "auto") {
			t.Errorf("%s with %d thirds free: %v, said %q", c.set, c.free, got, told.String())
		}
		p.close()
	}
}

// TestRecompute_same: a run that computes activations twice has the log of one that keeps them.
func TestRecompute_same(t *testing.T) {
	_, config := tiny(t, 3)
	_, kept := trained(t, config, "--set", "train.recompute=off")
	if _, again := trained(t, config, "--set", "train.recompute=on"); again != kept {
		t.Errorf("log\n%s\nwith recompute off\n%s", again, kept)
	}
}

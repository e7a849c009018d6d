package cmd

import (
	"fmt"

	"github.com/spf13/cobra"

	"ft/configs"
	"ft/internal/ui"
)

func newPromptCmd(s *ui.Streams) *cobra.Command {
	var o trainFlags
	c := &cobra.Command{
		Use:   "prompt --config FILE.yaml",
		Short: "Train a soft prompt: virtual tokens or a prefix in front of every text",
		Long: `Train a soft prompt on question–answer data, keep the best one, and answer the test part with the base and with the
tuned model. The model's weights stay as they are; what learns are virtual positions in front of every text:

  method: {kind: prompt, tokens: 20, init: vocab}          embeddings of virtual tokens (init: vocab, text or random)
  method: {kind: prefix, tokens: 20, projection: false}    keys and values in every block
  method: {kind: p_tuning, tokens: 20, encoder: mlp}       embeddings made by a network (mlp or lstm)

They count in the model's context. A soft prompt is far smaller than a LoRA adapter, and it wants a larger train.lr: 1e-2 to 1e-1, or
1e-3 to 1e-2 where a network makes it. It cannot be merged into the model: use it with ft generate --adapter.

A run's directory is that of ft lora.`,
		Example: `  ft prompt --config configs/prompt.yaml
  ft prompt --config p.yaml --set method.tokens=50 --name med-p50`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return o.run(c, *s, "prompt", "prefix", "p_tuning")
		},
	}
	o.register(c)
	return c
}

// virtualTokens is the number of positions that a config's method puts in front of every sample.
func virtualTokens(c *configs.Config) int {
	if v, ok := c.Method.Config.(interface{ VirtualTokens() int }); ok {
		return v.VirtualTokens()
	}
	return 0
}

// fitContext lets samples be no longer than what a base has room for behind a config's virtual tokens, whatever data.max_tokens allows.
func fitContext(c *configs.Config, context int, streams ui.Streams) error {
	virtual := virtualTokens(c)
	room := context - virtual
	if room < 2 {
		return usageError{fmt.Errorf("method.tokens: the prompt of %d virtual tokens is longer than the context: %s has %d positions, and text needs some",
			virtual, c.Base, context)}
	}
	if c.Data.MaxTokens <= room {
		return nil
	}
	what := ""
	if virtual > 0 {
		what = fmt.Sprintf(", %d of them for virtual tokens", virtual)
	}
	streams.Note("%s has %d positions%s: data.max_tokens is %d instead of %d", c.Base, context, what, room, c.Data.MaxTokens)
	c.Data.MaxTokens = room
	return nil
}

// positions tells how many positions a session's model has for text, for a message.
func (s *session) positions() string {
	m := s.base.Model
	if m.Virtual() == 0 {
		return fmt.Sprintf("the model's %d positions", m.Spec.Context)
	}
	return fmt.Sprintf("the %d positions that the adapter's %d virtual tokens leave", m.Room(), m.Virtual())
}

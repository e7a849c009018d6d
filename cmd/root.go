// Package cmd is the command line of ft: one file per verb. Verbs parse flags, wire the packages that do
// the work, and return errors; this file alone decides what is printed about an error and which exit code
// the process ends with.
package cmd

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"ft/internal/kernels"
	"ft/internal/ui"
)

// Main runs ft with the arguments and streams of the process and returns its exit code.
func Main() int { return execute(os.Args[1:], ui.System()) }

// execute is ft without its process: it reads args, uses nothing but streams to talk, and returns the exit
// code.
func execute(args []string, streams ui.Streams) int {
	ctx, stop := interruptible(&streams)
	defer stop()
	root, working := newRoot(&streams)
	root.SetArgs(args)
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.Err)
	verb, err := guarded(ctx, root)
	if err == nil {
		return exitOK
	}
	if !*working {
		err = usageError{fmt.Errorf("%w (see %s --help)", err, verb.CommandPath())}
	}
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintf(streams.Err, "ft: %s\n", ui.EscapeLine(strings.TrimSuffix(line, "\n")))
	}
	return exitCode(err)
}

// guarded runs a verb. A panic is a fault of the program: the user gets an error that says so, and the place in it for a report.
func guarded(ctx context.Context, root *cobra.Command) (verb *cobra.Command, err error) {
	defer func() {
		if r := recover(); r != nil {
			verb, err = root, fmt.Errorf("internal error: %v\nplease report it with this:\n%s", r, debug.Stack())
		}
	}()
	return root.ExecuteContextC(ctx)
}

// kernelNames are the backends that there are, best first. ft version says what they are and which of them a machine has.
const kernelNames = "amx, avx512bf16, avx512, avx2 or generic"

// newRoot builds the tree of verbs over the streams, which the global flags may still change. The bool
// turns true when a verb starts its work: an error before that is one of usage.
func newRoot(s *ui.Streams) (*cobra.Command, *bool) {
	root := newGroup("ft", "Fine-tune language models on the machine you have")
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.DisableDefaultCmd = true
	var threads int
	var cpu string
	flags := root.PersistentFlags()
	flags.IntVar(&threads, "threads", 0, "worker threads (default: one per CPU)")
	flags.StringVar(&cpu, "cpu", "", "kernels: "+kernelNames+", as far as the machine has them (default: the best; also FT_CPU)")
	flags.BoolVarP(&s.Quiet, "quiet", "q", s.Quiet, "no progress and no notes")
	flags.BoolVarP(&s.Verbose, "verbose", "v", s.Verbose, "say more")
	root.PersistentPreRunE = func(*cobra.Command, []string) error { return setUp(s, threads, cpu, kernels.Notice()) }
	root.AddCommand(
		newTrainCmd(s),
		newLoraCmd(s),
		newPromptCmd(s),
		newCompareCmd(s),
		newEvalCmd(s),
		newReviewCmd(s),
		newMergeCmd(s),
		newGenerateCmd(s),
		newScoreCmd(s),
		newTokenizeCmd(s),
		newBenchCmd(s),
		newDataCmd(s),
		newRunsCmd(s),
		newVersionCmd(s),
	)
	working := new(bool)
	markWork(root, working)
	return root, working
}

// newGroup returns a command that only holds others. On its own it prints its help; anything else is a
// verb it does not have.
func newGroup(use, short string) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			hint := ""
			if c.SuggestionsMinimumDistance <= 0 {
				c.SuggestionsMinimumDistance = 2
			}
			if near := c.SuggestionsFor(args[0]); len(near) > 0 {
				hint = ", did you mean " + strings.Join(near, " or ") + "?"
			}
			return fmt.Errorf("%s has no verb %q%s", c.CommandPath(), args[0], hint)
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
}

// setUp applies the flags that all verbs share. notice is that of the kernels: it explains the choice of instruction set
// unless the user made one that works.
func setUp(s *ui.Streams, threads int, cpu, notice string) error {
	if threads < 0 {
		return fmt.Errorf("--threads: must be 1 or more, got %d", threads)
	}
	if threads > 0 {
		kernels.SetThreads(threads)
	}
	from := "--cpu"
	if cpu == "" {
		from, cpu = "FT_CPU", os.Getenv("FT_CPU")
	}
	var err error
	if cpu != "" {
		err = kernels.Use(cpu)
	}
	if notice != "" && (cpu == "" || err != nil) {
		s.Note("%s", notice)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	return nil
}

// markWork makes every verb below c set *working when its own part begins.
func markWork(c *cobra.Command, working *bool) {
	if do := c.RunE; do != nil {
		c.RunE = func(c *cobra.Command, args []string) error {
			*working = true
			return do(c, args)
		}
	}
	for _, sub := range c.Commands() {
		markWork(sub, working)
	}
}

// interruptible returns a context that the first SIGINT or SIGTERM cancels, so that a verb can save and
// end. The second one ends the process at once, as the system does.
func interruptible(s *ui.Streams) (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case <-signals:
			signal.Stop(signals)
			if s.Terminal {
				fmt.Fprintln(s.Err) // the cursor may stand behind a bar
			}
			s.Warn("stopping; once more ends at once, without saving")
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel()
	}
}

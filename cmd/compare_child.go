package cmd

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"

	"github.com/spf13/cobra"

	"ft/internal/run"
	"ft/internal/ui"
	"ft/trainer"
)

// child trains an entry in a process of its own. baseRun, if not nil, is a run that has the base's answers.
func (o *compareFlags) child(c *cobra.Command, entry string, baseRun *run.Run, s ui.Streams) error {
	args := []string{"--config", o.config, "--entry", entry}
	for _, set := range o.set {
		args = append(args, "--set", set)
	}
	if baseRun != nil {
		args = append(args, "--base-answers", baseRun.Dir)
	}
	return childProcess(c, args, s)
}

// childProcess runs the verb c with other arguments in a process of its own, with this program and its global flags. An interruption of
// this process is passed on, and the child saves and ends.
func childProcess(c *cobra.Command, args []string, s ui.Streams) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	args = append([]string{c.Name()}, args...)
	for _, name := range []string{"threads", "cpu", "quiet", "verbose"} {
		if f := c.Flags().Lookup(name); f != nil && f.Changed {
			args = append(args, "--"+name+"="+f.Value.String())
		}
	}
	cmd := exec.CommandContext(c.Context(), program, args...)
	cmd.Args[0] = os.Args[0]
	cmd.Stderr = s.Err
	cmd.Cancel = passOn(cmd)
	// Where the child is to end with this process, the system watches the thread that started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case c.Context().Err() != nil, errors.As(err, &exit) && exit.ExitCode() == exitInterrupted:
		return trainer.ErrInterrupted
	case errors.As(err, &exit) && exit.ExitCode() < 0:
		return fmt.Errorf("the run was ended from outside (%v); was there too little memory?", exit)
	case errors.As(err, &exit):
		return fmt.Errorf("the run failed (exit code %d)", exit.ExitCode())
	}
	return err
}

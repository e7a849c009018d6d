package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// outcome is a program that ran to its end.
type outcome struct {
	figures
	stdout []byte
	stderr string
}

// firstStep is the line with which a program says that its work proper begins.
const firstStep = "the first step begins"

// execute runs a program and watches its standard error for firstStep.
func execute(name string, args ...string) (*outcome, error) {
	c := exec.Command(name, args...)
	var stdout bytes.Buffer
	c.Stdout = &stdout
	pipe, err := c.StderrPipe()
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	if err := c.Start(); err != nil {
		return nil, err
	}
	out := &outcome{}
	var told strings.Builder
	lines := bufio.NewReader(pipe)
	for err == nil {
		var line string
		line, err = lines.ReadString('\n')
		if strings.HasPrefix(line, firstStep) {
			out.start = time.Since(begin).Seconds()
		}
		told.WriteString(line)
	}
	if err := c.Wait(); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", strings.Join(c.Args, " "), err, told.String())
	}
	out.stdout, out.stderr, out.peak = stdout.Bytes(), told.String(), peakMemory(c.ProcessState)
	return out, nil
}

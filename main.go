// Command ft fine-tunes language models on the machine people already have.
package main

import (
	"os"

	"ft/cmd"
)

func main() { os.Exit(cmd.Main()) }

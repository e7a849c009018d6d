// Command ft fine-tunes language models on the machine people already have.
package main

func main() {}

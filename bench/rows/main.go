// Command rows makes files of many rows and tells how much memory and time ft needs for them: its peak of resident memory (VmHWM on Linux)
// for each verb and format.
//
//	go run ./bench/rows -ft ./ft -base model.gguf -dir DIR
//
// The files are made once; 1,000,000 rows of 500 bytes take about 1.5 GB in all formats, and runs need as much again for their cache.
package main

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
)

type options struct {
	ft, base, dir  string
	rows, bytes    int
	formats, verbs string
}

func main() {
	var o options
	flag.StringVar(&o.ft, "ft", "./ft", "the program")
	flag.StringVar(&o.base, "base", "", "a base for token lengths and training; empty leaves out what needs one")
	flag.StringVar(&o.dir, "dir", "", "folder for files and cache")
	flag.IntVar(&o.rows, "rows", 1_000_000, "how many")
	flag.IntVar(&o.bytes, "bytes", 500, "of text a row, about")
	flag.StringVar(&o.formats, "formats", "jsonl,jsonl.gz,jsonl.zst,csv,parquet", "what to read")
	flag.StringVar(&o.verbs, "verbs", "check,split,stats,show,lora", "what to run")
	flag.Parse()
	if err := o.run(); err != nil {
		fmt.Fprintln(os.Stderr, "rows:", err)
		os.Exit(1)
	}
}

func (o options) run() error {
	if o.dir == "" {
		return fmt.Errorf("-dir is missing")
	}
	if err := os.MkdirAll(o.dir, 0o777); err != nil {
		return err
	}
	fmt.Println("| format | verb | peak memory, MiB | seconds |\n|---|---|---|---|")
	for _, format := range strings.Split(o.formats, ",") {
		file := filepath.Join(o.dir, fmt.Sprintf("rows-%d-%d.%s", o.rows, o.bytes, format))
		if _, err := os.Stat(file); err != nil {
			if err := o.make(file, format); err != nil {
				return err
			}
		}
		for _, verb := range strings.Split(o.verbs, ",") {
			args := o.args(verb, file)
			if args == nil {
				continue
			}
			begin := time.Now()
			peak, err := o.peak(args)
			if err != nil {
				return err
			}
			fmt.Printf("| %s | %s | %d | %.0f |\n", format, verb, peak>>20, time.Since(begin).Seconds())
		}
	}
	return nil
}

// args are ft's arguments for a verb; nil if it needs a base and there is none.
func (o options) args(verb, file string) []string {
	switch {
	case o.base == "" && (verb == "stats" || verb == "show" || verb == "lora"):
		return nil
	case verb == "lora":
		config := filepath.Join(o.dir, "lora.yaml")
		os.WriteFile(config, fmt.Appendf(nil, "base: %s\ndata: {files: [%s]}\n", o.base, file), 0o666)
		return []string{"lora", "--config", config, "--dry-run"}
	}
	args := []string{"data", verb, file}
	if o.base != "" {
		args = append(args, "--base", o.base)
	}
	return args
}

// peak runs ft and gives its peak of resident memory in bytes.
func (o options) peak(args []string) (int64, error) {
	cache := filepath.Join(o.dir, "cache")
	os.RemoveAll(cache) // every run reads the rows
	c := exec.Command(o.ft, args...)
	c.Env = append(os.Environ(), "FT_CACHE_DIR="+cache)
	c.Stdout = io.Discard
	var told strings.Builder
	c.Stderr = &told
	if err := c.Start(); err != nil {
		return 0, err
	}
	done := make(chan error, 1)
	go func() { done <- c.Wait() }()
	var peak int64
	for {
		select {
		case err := <-done:
			if err != nil {
				err = fmt.Errorf("ft %s: %w\n%s", strings.Join(args, " "), err, told.String())
			}
			return peak, err
		case <-time.After(20 * time.Millisecond):
			peak = max(peak, highWater(c.Process.Pid))
		}
	}
}

// highWater is VmHWM of a process, 0 if the system does not tell.
func highWater(pid int) int64 {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(status)) {
		var kib int64
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kib); n == 1 {
			return kib << 10
		}
	}
	return 0
}

// row is what the files hold.
type row struct {
	ID       string `json:"id" parquet:"id"`
	Question string `json:"question" parquet:"question"`
	Answer   string `json:"answer" parquet:"answer"`
}

// make writes the rows as a file.
func (o options) make(file, format string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	write, end, err := writer(w, format)
	if err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(1, 2))
	words := make([]string, 5000)
	for i := range words {
		for range 1 + random.IntN(4) {
			words[i] += string("bcdfglmnprst"[random.IntN(12)]) + string("aeiou"[random.IntN(5)])
		}
	}
	text := func(bytes int) string {
		var b strings.Builder
		for b.Len() < bytes {
			b.WriteString(words[random.IntN(len(words))] + " ")
		}
		return strings.TrimSpace(b.String())
	}
	for i := range o.rows {
		if err := write(row{fmt.Sprint("row", i), text(o.bytes / 5), text(o.bytes - o.bytes/5)}); err != nil {
			return err
		}
	}
	if err := end(); err != nil {
		return err
	}
	return w.Flush()
}

// writer gives what writes a row in a format, and what ends it.
func writer(w io.Writer, format string) (write func(row) error, end func() error, err error) {
	switch format {
	case "jsonl":
		e := json.NewEncoder(w)
		return func(r row) error { return e.Encode(r) }, func() error { return nil }, nil
	case "jsonl.gz":
		z := gzip.NewWriter(w)
		e := json.NewEncoder(z)
		return func(r row) error { return e.Encode(r) }, z.Close, nil
	case "jsonl.zst":
		z, err := zstd.NewWriter(w)
		e := json.NewEncoder(z)
		return func(r row) error { return e.Encode(r) }, z.Close, err
	case "csv":
		c := csv.NewWriter(w)
		err := c.Write([]string{"id", "question", "answer"})
		return func(r row) error { return c.Write([]string{r.ID, r.Question, r.Answer}) }, func() error { c.Flush(); return c.Error() }, err
	case "parquet":
		p := parquet.NewGenericWriter[row](w, parquet.Compression(&parquet.Snappy), parquet.MaxRowsPerRowGroup(100_000))
		return func(r row) error { _, err := p.Write([]row{r}); return err }, p.Close, nil
	}
	return nil, nil, fmt.Errorf("unknown format %q", format)
}

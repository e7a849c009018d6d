// Pack writes model.bin from the folder of jieba's Python package: its dictionary as a trie and the tables of its hidden Markov
// model. All numbers are unsigned varints but for float64, 8 bytes little endian.
//
//	weights  count, float64 each     log probabilities of words; the first is that of what is no word
//	nodes    count                   of the trie by levels, the root first, siblings by character
//	         children of each node
//	         character of each node but the root: the first sibling's, then the distances
//	         weight of each node but the root, 0 for the beginning of a word only
//	start    4 float64               states in the order B M E S
//	trans    4 x 4 float64           from, to
//	values   count, float64 each     log probabilities of emission; the first is that of what has none
//	emit     count of characters from U+4E00, each with 4 values
package main

import (
	"bufio"
	"encoding/binary"
	"flag"
	"fmt"
	"log"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

func main() {
	dir := flag.String("jieba", "", "folder of jieba's Python package")
	out := flag.String("out", "internal/jieba/model.bin", "file to write")
	flag.Parse()
	var b packer
	if err := b.dictionary(filepath.Join(*dir, "dict.txt")); err != nil {
		log.Fatal(err)
	}
	if err := b.hmm(filepath.Join(*dir, "finalseg")); err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(*out, b, 0o644); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s: %d bytes\n", *out, len(b))
}

type packer []byte

func (b *packer) uint(n int)      { *b = binary.AppendUvarint(*b, uint64(n)) }
func (b *packer) float(v float64) { *b = binary.LittleEndian.AppendUint64(*b, math.Float64bits(v)) }

func (b *packer) floats(values []float64) {
	b.uint(len(values))
	for _, v := range values {
		b.float(v)
	}
}

// node is a place in the trie. freq is 0 unless a word ends here.
type node struct {
	char     rune
	freq     int
	children map[rune]*node
}

func (n *node) child(c rune) *node {
	if n.children == nil {
		n.children = map[rune]*node{}
	}
	if n.children[c] == nil {
		n.children[c] = &node{char: c}
	}
	return n.children[c]
}

// dictionary reads lines of word, frequency and part of speech. Of a word that is there twice the last line counts, but all lines
// count for the total.
func (b *packer) dictionary(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var root node
	total := 0
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Split(strings.TrimSpace(lines.Text()), " ")
		if len(fields) < 2 {
			return fmt.Errorf("%s: %q: expected a word and its frequency", path, lines.Text())
		}
		freq, err := strconv.Atoi(fields[1])
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		n := &root
		for _, c := range fields[0] {
			n = n.child(c)
		}
		n.freq = freq
		total += freq
	}
	if err := lines.Err(); err != nil {
		return err
	}
	b.trie(levels(&root), total)
	return nil
}

// levels lists the nodes, parents before children and siblings side by side.
func levels(root *node) []*node {
	nodes := []*node{root}
	for i := 0; i < len(nodes); i++ {
		var children []*node
		for _, c := range nodes[i].children {
			children = append(children, c)
		}
		slices.SortFunc(children, func(x, y *node) int { return int(x.char - y.char) })
		nodes = append(nodes, children...)
	}
	return nodes
}

func (b *packer) trie(nodes []*node, total int) {
	ranks, freqs := rank(nodes, func(n *node) int { return n.freq })
	weights := []float64{0 - logarithm(total)}
	for _, f := range freqs[1:] {
		weights = append(weights, logarithm(f)-logarithm(total))
	}
	b.floats(weights)
	b.uint(len(nodes))
	for _, n := range nodes {
		b.uint(len(n.children))
	}
	at := 1
	for _, n := range nodes {
		before := rune(0)
		for range n.children {
			b.uint(int(nodes[at].char - before))
			before = nodes[at].char
			at++
		}
	}
	for _, n := range nodes[1:] {
		b.uint(ranks[n.freq])
	}
}

// rank numbers the values that key gives, the zero value 0 and the others by how often they occur, so that most numbers are short.
func rank[T any, K int | float64](items []T, key func(T) K) (map[K]int, []K) {
	counts := map[K]int{}
	for _, item := range items {
		if k := key(item); k != 0 {
			counts[k]++
		}
	}
	values := make([]K, 0, len(counts))
	for k := range counts {
		values = append(values, k)
	}
	slices.SortFunc(values, func(x, y K) int {
		if counts[x] != counts[y] {
			return counts[y] - counts[x]
		}
		if x < y {
			return -1
		}
		return 1
	})
	values = append([]K{0}, values...)
	ranks := map[K]int{}
	for i, k := range values {
		ranks[k] = i
	}
	return ranks, values
}

// logarithm is the natural logarithm of n, rounded once. Equal paths through a sentence are told apart by the last bit, and
// math.Log is off by one there for some of the frequencies.
func logarithm(n int) float64 {
	const bits = 256
	float := func(v float64) *big.Float { return new(big.Float).SetPrec(bits).SetFloat64(v) }
	// 2 atanh((x-1)/(x+1)) = ln x
	series := func(x *big.Float) *big.Float {
		z := new(big.Float).Quo(new(big.Float).Sub(x, float(1)), new(big.Float).Add(x, float(1)))
		square, power, sum := new(big.Float).Mul(z, z), float(0).Set(z), float(0)
		for k := 1; k < 200; k += 2 {
			sum.Add(sum, new(big.Float).Quo(power, float(float64(k))))
			power.Mul(power, square)
		}
		return sum.Mul(sum, float(2))
	}
	fraction, exponent := math.Frexp(float64(n))
	ln := series(float(fraction))
	ln.Add(ln, new(big.Float).Mul(series(float(2)), float(float64(exponent))))
	v, _ := ln.Float64()
	return v
}

const (
	states   = "BMES"
	firstHan = 0x4E00
	lastHan  = 0x9FD5
	none     = -3.14e100 // jieba's log of zero
)

// entry finds a key and what it stands for in a Python literal: a number, or the beginning of an inner dictionary.
var entry = regexp.MustCompile(`'(\\u[0-9a-f]{4}|[^'\\])':\s*(\{|[-+.e0-9]+)`)

// literal reads a Python file whose P is a dictionary of numbers, or of dictionaries of numbers.
func literal(path string) (map[string]float64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	out, outer := map[string]float64{}, ""
	for _, m := range entry.FindAllStringSubmatch(string(text), -1) {
		if m[2] == "{" {
			outer = m[1]
			continue
		}
		key := m[1]
		if len(key) > 1 && key[0] == '\\' {
			c, err := strconv.ParseInt(key[2:], 16, 32)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			key = string(rune(c))
		}
		if out[outer+key], err = strconv.ParseFloat(m[2], 64); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return out, nil
}

func (b *packer) hmm(dir string) error {
	var tables [3]map[string]float64
	for i, name := range []string{"prob_start.py", "prob_trans.py", "prob_emit.py"} {
		var err error
		if tables[i], err = literal(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	get := func(table int, key string) float64 {
		if v, ok := tables[table][key]; ok {
			return v
		}
		return none
	}
	for _, s := range states {
		b.float(get(0, string(s)))
	}
	for _, from := range states {
		for _, to := range states {
			b.float(get(1, string(from)+string(to)))
		}
	}
	var emissions []float64 // 0 for none
	for c := rune(firstHan); c <= lastHan; c++ {
		for _, s := range states {
			emissions = append(emissions, tables[2][string(s)+string(c)])
		}
	}
	ranks, values := rank(emissions, func(v float64) float64 { return v })
	values[0] = none
	b.floats(values)
	b.uint(len(emissions) / len(states))
	for _, v := range emissions {
		b.uint(ranks[v])
	}
	return nil
}

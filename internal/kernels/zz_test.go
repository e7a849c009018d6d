package kernels
import ("testing";"math/rand/v2";"fmt")
func BenchmarkZZ(b *testing.B) {
	r := rand.New(rand.NewPCG(1,2))
	al := func(n int) []float32 { v,_ := onHeap(n); for i := range v { v[i] = float32(r.NormFloat64()) }; return v }
	var t Tiles
	for _, prec := range []Precision{BF16,F32} {
	t.Begin(prec)
	rounded := func(n int) []float32 { v:=al(n); if prec==BF16 { h:=halves(v); for i := range h { h[i]=toBF16(float32(r.NormFloat64())) } }; return v }
	const panels=16
	c := al(panels*1024)
	c2 := al(panels*1024)
	q := rounded(t.Words(64)); kt := rounded(panels*t.Words(64)); p := rounded(panels*t.Words(32)); o := al(2048)
	run := func(name string, macs float64, f func()) {
		b.Run(fmt.Sprintf("%v/%s",prec,name), func(b *testing.B) { for b.Loop() { f() }
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/panels, "ns/panel")
		if macs>0 {b.ReportMetric(2*macs*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")}})
	}
	m := float64(32*32*64*panels)
	run("S", m, func() { t.Mul(c,q,kt,64,panels,t.Words(64),false) })
	run("PV", m, func() { t.Mul(o,p,kt,32*panels,2,panels*t.Words(32),false) })
	run("add32", m/2, func() { t.Mul(c,q,p,32,panels,t.Words(32),true) })
	first, seen, lse := make([]int32,32), make([]int32,32), make([]float32,32)
	for i := range seen { seen[i]=panels*32 }
	src := al(panels*1024)
	run("softmax", 0, func() { copy(c,src); t.Softmax(c,panels,first,seen,0.125,lse) })
	run("probs", 0, func() { copy(c,src); t.Probs(c,panels,first,seen,0.125,lse) })
	run("copy", 0, func() { copy(c,src) })
	run("round", 0, func() { t.Round(p,c,panels) })
	run("right", 0, func() { t.Right(p,c,panels) })
	run("scoregrad", 0, func() { t.ScoreGrad(c2,c,panels,lse,0.125) })
	d := make([]float32,32)
	run("dots", 0, func() { t.Dots(d,q,kt,64) })
	run("turn", 0, func() { t.Turn(kt,q,64) })
	rows := al(32*576)
	run("pack", 0, func() { t.Pack(q,rows,576,32,64) })
	run("rows", 0, func() { t.Rows(rows,576,o,32,64) })
	var ar Arena
	act := ar.Act(64,576,prec)
	run("put", 0, func() { act.Put(q,5,32,128,64) })
	run("take", 0, func() { act.Take(q,5,32,128,64) })
	}
}

package linalg

import "math"

// maxSweeps is far above what convergence takes, which is quadratic at the end: 6 to 12 sweeps.
const maxSweeps = 60

// jacobi turns the rows of a [k,n] by rotations of two at a time until all are orthogonal, and turns those of j [k,k] alike. If j
// was the identity, then after it j·(old a) = new a. Rows of a round are paired as in a tournament, so every row is in one pair
// and the result does not depend on who does which pair.
//
// Rows count as orthogonal at an angle whose cosine is below tol, and below what rounding leaves.
func jacobi(a []float64, k, n int, j []float64, tol float64) {
	players := k + k%2
	order := make([]int, players)
	for i := range order {
		order[i] = i
	}
	turned := make([]bool, players/2)
	for range maxSweeps {
		any := false
		for range players - 1 {
			each(players/2, players*(n+k), func(pair int) {
				p, q := order[pair], order[players-1-pair]
				p, q = min(p, q), max(p, q)
				turned[pair] = q < k && rotate(a[p*n:(p+1)*n], a[q*n:(q+1)*n], j[p*k:(p+1)*k], j[q*k:(q+1)*k], tol)
			})
			for _, t := range turned {
				any = any || t
			}
			last := order[players-1]
			copy(order[2:], order[1:players-1])
			order[1] = last
		}
		if !any {
			return
		}
	}
}

// rounded is the cosine, for each root of a row's length, that rounding leaves between rows that were made orthogonal.
const rounded = 1e-15

// rotate makes rows p and q orthogonal and reports whether it had to do anything.
func rotate(p, q, jp, jq []float64, tol float64) bool {
	pp, qq, pq := dot(p, p), dot(q, q), dot(p, q)
	if math.Abs(pq) <= max(tol, rounded*math.Sqrt(float64(len(p))))*math.Sqrt(pp*qq) {
		return false
	}
	zeta := (qq - pp) / (2 * pq)
	t := math.Copysign(1, zeta) / (math.Abs(zeta) + math.Sqrt(1+zeta*zeta))
	c := 1 / math.Sqrt(1+t*t)
	turn(p, q, c, c*t)
	turn(jp, jq, c, c*t)
	return true
}

func turn(p, q []float64, c, s float64) {
	q = q[:len(p)]
	for i, v := range p {
		w := q[i]
		p[i] = c*v - s*w
		q[i] = s*v + c*w
	}
}

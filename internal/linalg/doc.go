// Package linalg finds the leading part of a matrix's singular value decomposition, for methods that begin with it (PiSSA, OLoRA) and
// for arithmetic with low-rank adapters.
//
// A matrix whose shorter side is small, or of whose decomposition a large part is asked for, is decomposed in float64 to full precision: an
// orthogonal factor first, then one-sided Jacobi rotations (Hestenes 1958; Demmel and Veselić 1992, which shows why small
// singular values come out as well as large ones). A large one is seen through products alone, in its file's number type: block
// Krylov iteration with restarts (Golub, Luk and Overton 1981; Musco and Musco 2015, arXiv:1504.05477), float32 products and float64
// orthogonalisation. A layer of 4096 by 11008 takes seconds for a hundred vectors, where a full decomposition takes minutes.
//
// LAPACK in Go would do the small part too; two short routines of our own keep to the number of threads that was asked for, give the
// same bits whatever it is, and add no dependency. Vectors are rows everywhere, so that all inner loops run along memory.
package linalg

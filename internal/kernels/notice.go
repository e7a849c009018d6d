package kernels

// Notice tells in one line what the CPU has but the kernels cannot use, and why. It is "" if there is nothing to tell.
func Notice() string { return notice }

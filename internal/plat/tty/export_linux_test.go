package tty

import "os"

// At is Open without its conditions, for tests of what comes after.
func At(in, out *os.File) *Terminal { return &Terminal{in, out} }

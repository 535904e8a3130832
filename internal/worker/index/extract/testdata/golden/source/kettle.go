// Copyright 2023 The Kettle Authors. All rights reserved.
// Use of this source code is governed by a BSD-style
// license that can be found in the LICENSE file.

//go:build linux

// Package kettle boils water on a schedule. It keeps
// no state.
//
// An example:
//
//	k := kettle.New()
//	k.Boil()
//
// Boiling takes about four minutes.
package kettle

import "fmt"

// Boil heats the water until it boils, or until ctx is done. The lid
// must be closed.
func Boil() {
	x := 1 // a trailing remark
	// short remark
	fmt.Println(x)
	s := `
// not a comment, but part of a string that goes on
`

	// This loop runs until the thermometer says that the water is at one
	// hundred degrees.
	for {
	}
	// if x == 1 {
	// 	fmt.Println(x);
	// }
}

/*
 * Whistle makes a noise.
 *
 * - loud when it boils over,
 * - soft when it does not.
 *
 * @param n how often
 */
func Whistle(n int) {}

// Package lookin tries, for tests, what one program of a user can do to look into
// another of the same user. It changes nothing in the other one.
package lookin

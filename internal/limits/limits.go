// Package limits holds every size, count, depth and time limit of Bailey as a
// named constant with its reason: one file an area. A bare number in other
// code is either an index or a bug.
package limits

// goroutines is a program of Go that needs several threads, and knows nothing of
// Bailey. It says that all went well on descriptor 2, and ends with 7.
package main

import (
	"fmt"
	"os"
	"runtime"
)

func main() {
	done := make(chan bool)
	for range 4 {
		go func() {
			// A thread of its own each.
			runtime.LockOSThread()
			done <- true
		}()
	}
	for range 4 {
		<-done
	}
	fmt.Fprintln(os.Stderr, "errno 0")
	os.Exit(7)
}

// try is a program that knows nothing of Bailey, for the scripts of `bailey sandbox
// run`: what its first argument says, it tries, and says what came of it.
package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"
)

func main() {
	if err := try(os.Args[1], os.Args[2:]); err != nil {
		fmt.Println(err)
		os.Exit(3)
	}
}

func try(what string, args []string) error {
	switch what {
	case "open":
		b, err := os.ReadFile(args[0])
		os.Stdout.Write(b)
		return err
	case "at":
		// What a descriptor that it was born with leads to.
		n, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		fd, err := syscall.Openat(n, args[1], syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("open %s at %d: %w", args[1], n, err)
		}
		_, err = io.Copy(os.Stdout, os.NewFile(uintptr(fd), args[1]))
		return err
	case "write":
		return os.WriteFile(args[0], []byte("written\n"), 0o644)
	case "dial":
		_, err := net.DialTimeout("tcp", args[0], time.Second)
		return err
	case "exit":
		n, err := strconv.Atoi(args[0])
		if err == nil {
			os.Exit(n)
		}
		return err
	case "call":
		n, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		if _, _, e := syscall.RawSyscall(uintptr(n), 0, 0, 0); e != 0 {
			return e
		}
	case "count":
		n, err := io.Copy(io.Discard, os.Stdin)
		fmt.Println(n)
		return err
	case "flood":
		line := bytes.Repeat([]byte("x"), 1<<16)
		for {
			if _, err := os.Stdout.Write(line); err != nil {
				return err
			}
		}
	case "hold":
		fmt.Println("holding")
		// Nothing ever comes out of it.
		var p [2]int
		if err := syscall.Pipe2(p[:], 0); err != nil {
			return err
		}
		_, err := syscall.Read(p[0], make([]byte, 1))
		return err
	case "closeall":
		for fd := range 16 {
			syscall.Close(fd)
		}
		os.Exit(4)
	case "say":
		s, err := strconv.Unquote(`"` + args[0] + `"`)
		fmt.Print(s)
		return err
	case "born":
		// What it was given: arguments, environment, and what each descriptor is.
		fmt.Println(os.Args, os.Environ())
		for fd := range 16 {
			var st syscall.Stat_t
			if syscall.Fstat(fd, &st) == nil {
				fmt.Printf("%d %o\n", fd, st.Mode&syscall.S_IFMT)
			}
		}
	default:
		return fmt.Errorf("no %q", what)
	}
	return nil
}

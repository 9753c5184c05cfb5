// Command MistProcLivepeer is the stand-in for the process of that name: JSON
// on standard input, logs on standard error. It finds its host by the socket
// beside its own executable or in the folder named by MISTSIM_DIR. Under the
// name MistInTS it is the input that such a process starts.
package main

import (
	"context"
	"fmt"
	"os"

	"weir/internal/mistsim/livepeer"
	"weir/internal/mistsim/shm"
)

// inputStream is the place of the stream in "MistInTS -s <stream> <path>".
const inputStream = 2

func main() {
	socket, err := shm.Socket()
	if err != nil {
		fmt.Fprintln(os.Stderr, "MistProcLivepeer:", err)
		os.Exit(1)
	}
	if os.Args[0] == livepeer.InputName && len(os.Args) > inputStream {
		os.Exit(livepeer.RunInput(context.Background(), socket, os.Args[inputStream]))
	}
	p := &livepeer.Process{Socket: socket, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	os.Exit(p.Run(context.Background(), os.Args[1:]))
}

// Command MistProcLivepeer is the stand-in for the process of that name: JSON
// on standard input, logs on standard error. It finds its host by the socket
// beside its own executable or in the folder named by MISTSIM_DIR.
package main

import (
	"context"
	"fmt"
	"os"

	"weir/mist/mistsim/livepeer"
	"weir/mist/mistsim/shm"
)

func main() {
	socket, err := shm.Socket()
	if err != nil {
		fmt.Fprintln(os.Stderr, "MistProcLivepeer:", err)
		os.Exit(1)
	}
	p := &livepeer.Process{Socket: socket, Stdin: os.Stdin, Stderr: os.Stderr}
	os.Exit(p.Run(context.Background(), os.Args[1:]))
}

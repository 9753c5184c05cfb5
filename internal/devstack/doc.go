// Package devstack runs everything that Weir needs on one machine, as real
// processes: a private Postgres, an S3 server, stand-in Mist hosts (or a real
// Mist), a Broadcaster, the daemon, and a receiver of Studio's callbacks. The
// demo, the end-to-end tests and the benchmarks stand on it; it is not shipped.
//
// Every part is started with StartX(ctx, *XConfig) and ended with Close. The
// context bounds the start only. A part that was started lives until Close, or
// until the process that started it ends, however that ends: the kernel signals
// each child when its parent dies. All files of a stack lie in one [Folder];
// one that a killed stack left behind is removed by the next stack.
//
// A stack is used by one goroutine at a time unless a method says otherwise.
package devstack

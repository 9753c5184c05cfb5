// Package storage moves whole files between a host's spool and S3, and keeps
// the credentials that a request brings out of sight.
//
// A [Location] says where a source or an output is and prints without its
// secrets. A [Client] fetches a source into the spool ([Client.Fetch]),
// uploads a finished file ([Client.Upload]) and proves that an object holds
// the bytes that were written ([Client.Verify]).
//
// Failures are an [*Error] with a [Code]; its text and everything it wraps are
// free of credentials, presigned queries and words of the server. When the
// context ends, its error is returned (errors.Is context.Canceled or
// context.DeadlineExceeded) and not an *Error: that says nothing of storage.
package storage

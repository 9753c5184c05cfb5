package storage

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"strings"
)

// fetchedAs is what a fetch brought to path, under the name that its server has for the
// version; where that is "", under a checksum of what came.
func fetchedAs(path string, size int64, etag, named string) (Fetched, error) {
	etag, named = printable(etag), printable(named)
	if named != "" {
		return Fetched{Bytes: size, ETag: etag, Identity: fmt.Sprintf("%s %d", named, size)}, nil
	}
	sum := sha256.New()
	if err := sumUp(path, sum); err != nil {
		return Fetched{}, err
	}
	return Fetched{Bytes: size, ETag: etag, Identity: "sha256:" + hex.EncodeToString(sum.Sum(nil))}, nil
}

// printable is a server's word where it can be kept in a row and shown; else "".
func printable(word string) string {
	const longest = 256 // four SHA-256 in hex
	if len(word) > longest || strings.ContainsFunc(word, func(r rune) bool { return r < ' ' || r > '~' }) {
		return ""
	}
	return word
}

// Checksum is what [Object.Checksum] will be of the file at path.
func Checksum(path string) (string, error) {
	crc := newCRC()
	err := sumUp(path, crc)
	if known, ok := errors.AsType[*coded](err); ok {
		return "", &Error{Op: "sum up", Code: known.code, Err: known.err}
	}
	return checksumText(crc), nil
}

func sumUp(path string, sum hash.Hash) error {
	file, err := os.Open(path)
	if err != nil {
		return spoolFailure(path, err)
	}
	defer file.Close()
	if _, err := io.Copy(sum, file); err != nil {
		return spoolFailure(path, err)
	}
	return nil
}

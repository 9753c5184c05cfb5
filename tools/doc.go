// Package tools checks the files of the repository that are no Go code (the
// compose file, migrations, documents), and pins the programs that the Makefile
// builds. It is a module of its own, so that none of this is in the product's.
package tools

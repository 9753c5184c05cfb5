// Package reseal seals anew what was sealed under a former key of WEIR_SECRET_KEY, so
// that the former one can be taken away. It works on rows beside daemons that run, a few
// pages of a table after the other, and may be stopped and begun again at any time.
//
// Whoever adds a sealed column adds its line to [Columns]; a test compares the list with
// the schema.
package reseal

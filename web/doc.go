// Package web is the operators' pages: what Weir does, why, and the buttons to change it.
// Pages are made on the server from rows; a small script of our own keeps those that show
// something that moves up to date, by server-sent events that carry parts of the page.
//
// Who may see them, web/login says. A viewer changes nothing: every route that does is
// registered as one for operators, and each change is an operation of jobs that weir-admin and the
// API have too, written to admin_actions in its transaction.
package web

// Package api is Studio's HTTP API: it checks requests, hands them to jobs and
// shows transcodes. It keeps no state.
//
// Every operation but the probes and the documentation needs a bearer token,
// which names the caller's tenant. Refusals are RFC 9457 problem documents whose
// errors name the field; none of them, and no log line, repeats a value that a
// caller sent. The OpenAPI document is made from the types here: the limits that
// it states are the ones that are checked.
package api

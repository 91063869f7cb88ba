// Package sourcetest holds every source to the contract of holdfast.Source:
// each sentence of it is a subtest of [Run], which the tests of all sources
// call; [RunLook] does so for holdfast.Looker. [Sink] is where captures go in tests, [Bank] a SQLite database that
// other processes keep changing under an invariant.
package sourcetest

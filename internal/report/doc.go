// Package report is what every surface shows: the objects of --json, which are
// the bodies of the HTTP API and the results of its jobs, and the verdict.
//
// Start from [NewBackup] (one backup as every list shows it), [NewError] (how
// anything failed) and [Look] (is the data safe?). Surfaces that are asked often
// keep a [Book] of the backups and answer from it with a [Query].
//
// The fields are a contract that docs/json.md describes and golden tests hold:
// fields are added, never renamed or given another meaning. Readers ignore
// fields they do not know. Tables and colours are the business of whoever shows
// the objects to people; only the sentences that are in the objects are made
// here.
package report

package jobs

import (
	"slices"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/operation"
)

// plans are the steps that each kind of work has, in the order in which they come:
// those that can be told before it begins. What else happens is put in where it does.
var plans = map[string][]holdfast.Step{
	operation.KindBackup: {holdfast.StepPreflight, holdfast.StepCapture, holdfast.StepExport, holdfast.StepCommit},
	operation.KindVerify: {holdfast.StepVerify, holdfast.StepCheck},
	operation.KindDrill:  {holdfast.StepChoose, holdfast.StepStage, holdfast.StepCheck, holdfast.StepMemory, holdfast.StepRehearse},
	operation.KindRestore: {
		holdfast.StepChoose, holdfast.StepEmergency, holdfast.StepValidate, holdfast.StepStage, holdfast.StepCheck,
		holdfast.StepStop, holdfast.StepSwap, holdfast.StepMemory, holdfast.StepStart, holdfast.StepConfirm, holdfast.StepResult,
	},
	operation.KindRollback: {
		holdfast.StepChoose, holdfast.StepEmergency, holdfast.StepStage, holdfast.StepCheck,
		holdfast.StepStop, holdfast.StepSwap, holdfast.StepStart, holdfast.StepConfirm, holdfast.StepResult,
	},
	operation.KindRecover:   {holdfast.StepRollback},
	operation.KindPrune:     {holdfast.StepPrune},
	operation.KindReplicate: {holdfast.StepCopy},
	operation.KindCompact:   {holdfast.StepCompact},
}

// replaces tells whether a kind of work replaces live data, and backs it up before.
func replaces(kind string) bool {
	return kind == operation.KindRestore || kind == operation.KindRollback
}

// inEmergency are the steps that only the emergency backup of a restore has.
var inEmergency = []holdfast.Step{holdfast.StepPreflight, holdfast.StepCapture, holdfast.StepExport, holdfast.StepCommit, holdfast.StepVerify}

// afterEmergency are the steps that a restore does not take before its emergency backup
// has ended.
var afterEmergency = []holdfast.Step{
	holdfast.StepValidate, holdfast.StepStage, holdfast.StepStop, holdfast.StepSwap, holdfast.StepMemory,
	holdfast.StepStart, holdfast.StepConfirm, holdfast.StepRollback, holdfast.StepResult,
}

// within tells the step of the work that an event of some other step belongs to: the
// backup and the verification that an emergency backup consists of tell their own steps.
func within(kind string, step holdfast.Step, emergencyRuns bool) (holdfast.Step, bool) {
	switch {
	case !replaces(kind) || step == holdfast.StepEmergency || step == holdfast.StepChoose:
		return "", false
	case slices.Contains(inEmergency, step):
		return holdfast.StepEmergency, true
	}
	return holdfast.StepEmergency, emergencyRuns && !slices.Contains(afterEmergency, step)
}

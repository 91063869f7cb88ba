//go:build !linux

package main

import (
	"os"
	"syscall"
)

func apart() *syscall.SysProcAttr { return nil }

func interrupt(p *os.Process) error { return p.Signal(os.Interrupt) }
func kill(p *os.Process) error      { return p.Kill() }

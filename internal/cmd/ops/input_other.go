//go:build !linux && !darwin

package main

func discardInput(int) {}

func hideInput(int) {}

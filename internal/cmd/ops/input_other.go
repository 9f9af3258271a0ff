//go:build !linux && !darwin

package main

func discardInput(int) {}

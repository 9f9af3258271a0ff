// Command nothing is quickly built, for any processor.
package main

func main() {}

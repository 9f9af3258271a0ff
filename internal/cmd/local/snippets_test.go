package main

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// snippet returns the code of the reference for apps in a language, which has at most 20 lines.
func snippet(t *testing.T, language string) string {
	t.Helper()
	blocks := examples(t, "functions/README.md", "## Put it into your app", language)
	if len(blocks) != 1 {
		t.Fatalf("got %d snippets in %s, want 1", len(blocks), language)
	}
	if lines := strings.Count(blocks[0], "\n"); lines > 20 {
		t.Errorf("the snippet in %s has %d lines, want at most 20", language, lines)
	}
	return blocks[0]
}

// Ensure that there is a snippet for each kind of app.
func TestSnippets(t *testing.T) {
	t.Parallel()
	for _, language := range []string{"ts", "kotlin", "swift", "dart"} {
		text := snippet(t, language)
		for _, want := range []string{"https://api.example.com", "/sessions", "Bearer ", "Content-Type", "session_token"} {
			if !strings.Contains(text, want) {
				t.Errorf("the snippet in %s does not have %q", language, want)
			}
		}
	}
}

// workshop returns a folder with the files of testdata/snippets and the snippet, which asks the
// system instead of the address in it.
func workshop(t *testing.T, s *system, name, text string, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(name, strings.ReplaceAll(text, "https://api.example.com", s.url))
	for _, file := range files {
		driver, err := os.ReadFile("testdata/snippets/" + file)
		if err != nil {
			t.Fatal(err)
		}
		write(file, strings.ReplaceAll(string(driver), "$SIMULATOR", s.simulatorURL))
	}
	return dir
}

// execute runs a program and returns what it printed.
func execute(t *testing.T, dir, program string, arguments ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	command := exec.CommandContext(ctx, program, arguments...)
	command.Dir = dir
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(arguments, " "), err, out)
	}
	return string(out)
}

// tool returns what make snippets has installed, and skips the test without it.
func tool(t *testing.T, name string) string {
	t.Helper()
	path := os.Getenv(name)
	if path == "" {
		t.Skip(name + " is not set: make snippets installs the compilers")
	}
	return path
}

// Ensure that the TypeScript compiles without a complaint, and that an app that is made of it
// follows a verification to its end.
func TestSnippets_typescript(t *testing.T) {
	t.Parallel()
	compiler := tool(t, "TYPESCRIPT")
	s := startSystem(t, nil, io.Discard)
	dir := workshop(t, s, "snippet.ts", snippet(t, "ts"), "driver.ts")
	if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte(`{"type":"module"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	execute(t, dir, compiler, "--strict", "--noUnusedLocals", "--target", "es2022", "--lib", "es2022,dom", "--module", "nodenext", "driver.ts")
	const want = `{"next":"verified","first":"verify","pause":5,"most":true,"code":"already_verified","same":true,"left":"AbortError"}`
	if got := strings.TrimSpace(execute(t, dir, "node", "driver.js")); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Ensure that the Kotlin compiles without a warning, and that an app that is made of it verifies
// its user once. Android has org.json of itself.
func TestSnippets_kotlin(t *testing.T) {
	t.Parallel()
	jars := tool(t, "KOTLIN")
	s := startSystem(t, nil, io.Discard)
	const imports = "import java.net.HttpURLConnection\nimport java.net.URL\nimport org.json.JSONObject\n\n"
	dir := workshop(t, s, "Snippet.kt", imports+snippet(t, "kotlin"), "Driver.kt")
	classes := filepath.Join(jars, "*")
	compiled := execute(t, dir, "java", "-cp", classes, "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler", "-no-stdlib", "-no-reflect",
		"-classpath", jarsIn(t, jars), "-d", "out", "Snippet.kt", "Driver.kt")
	if strings.Contains(compiled, "Snippet.kt") {
		t.Errorf("the compiler complains: %s", compiled)
	}
	const want = "verified 0\nverified 0\n"
	if got := execute(t, dir, "java", "-cp", "out"+string(os.PathListSeparator)+classes, "DriverKt"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func jarsIn(t *testing.T, dir string) string {
	t.Helper()
	jars, err := filepath.Glob(filepath.Join(dir, "*.jar"))
	if err != nil || len(jars) == 0 {
		t.Fatal(jars, err)
	}
	return strings.Join(jars, string(os.PathListSeparator))
}

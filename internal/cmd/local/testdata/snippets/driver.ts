// Plays an app whose user verifies, against the local system, and prints what happened.
import { begin, follow } from "./snippet.js";

const pauses: number[] = [];
const timer = globalThis.setTimeout;
// The pauses of the app are noted and not waited for; shorter ones are Node's own.
globalThis.setTimeout = ((resume: () => void, pause: number) => {
  if (pause >= 5000) pauses.push(pause / 1000);
  return timer(resume, pause >= 5000 ? 0 : pause);
}) as unknown as typeof setTimeout;

const session = await begin("alice", "myapp://verified");
let shown = "";
const next = await follow(session.session_id!, "alice", (next) => {
  if (shown === "") {
    const form = { "Content-Type": "application/x-www-form-urlencoded" };
    void fetch(session.url + "/decision", { method: "POST", headers: form, body: "status=Approved", redirect: "manual" });
  }
  shown += next + " ";
});
const again = await begin("alice", "myapp://verified");
const gone = new AbortController();
gone.abort();
const left = await follow(session.session_id!, "alice", () => {}, gone.signal).catch((e: Error) => e.name);
const { code, url, session_id } = again;
console.log(JSON.stringify({ next, first: shown.split(" ")[0], pause: pauses[0], most: Math.max(...pauses) <= 60,
  code, url, same: session_id === session.session_id, left }));

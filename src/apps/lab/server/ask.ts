// Asks an HTTP address until it answers 200, and prints the answer. Like the server, it imports
// nothing of ours: it runs in a node's namespace, where our own process cannot go.
//
//   node ask.ts URL SECONDS

import { get } from "node:http";

const [url = "", seconds = "0"] = process.argv.slice(2);
const deadline = Date.now() + Number(seconds) * 1000;
const AGAIN_MS = 50;
const ANSWER_MS = 2000;

function ask(): void {
  const request = get(url, { timeout: ANSWER_MS, agent: false }, (response) => {
    let body = "";
    response.setEncoding("utf8").on("data", (text: string) => (body += text));
    response.on("end", () => {
      if (response.statusCode === 200) process.stdout.write(body);
      else again(`${url} answers ${response.statusCode}: ${body.trim().slice(0, 400)}`);
    });
  });
  request.on("timeout", () => request.destroy(new Error("no answer")));
  request.on("error", (error) => again(`${url}: ${error.message}`));
}

function again(problem: string): void {
  if (Date.now() < deadline) setTimeout(ask, AGAIN_MS);
  else {
    console.error(problem);
    process.exitCode = 1;
  }
}

ask();

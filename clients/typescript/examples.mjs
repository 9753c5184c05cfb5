// Writes the examples of README.md as files, for the compiler and the tests.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";

rmSync("build/readme", { recursive: true, force: true });
mkdirSync("build/readme", { recursive: true });
const examples = [...readFileSync("README.md", "utf8").matchAll(/^```ts (\S+)\n(.*?)^```$/gms)];
if (examples.length === 0) {
  throw new Error("README.md has no examples");
}
for (const [, name, code] of examples) {
  writeFileSync(`build/readme/${name}`, code);
}

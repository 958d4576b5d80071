// Calls every operation of the sandbox with the official Node.js client.
//
// Usage: node operations.mjs ENDPOINT ID SECRET [TOKEN], with a sandbox that responds to the first
// poll of a task with 280. Fails at the first difference.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

const require = createRequire(`${process.cwd()}/`);
const { ROAClient } = require("@alicloud/pop-core");

const [endpoint, accessKeyId, accessKeySecret, securityToken] = process.argv.slice(2);
const options = { accessKeyId, accessKeySecret, securityToken, endpoint, apiVersion: "2018-05-09" };
const client = new ROAClient(options);

async function ask(path, body, query = {}, by = client) {
  const headers = { "content-type": "application/json" };
  return by.request("POST", path, query, JSON.stringify(body), headers, {});
}

function only(answer) {
  assert.equal(answer.code, 200);
  assert.equal(answer.data.length, 1);
  return answer.data[0];
}

const task = (name) => ({ dataId: "n-1", url: `https://example.com/${name}` });
const body = { scenes: ["porn"], tasks: [task("头像 porn.jpg")] };
const made = only(await ask("/green/image/asyncscan", body));
assert.equal(made.code, 200);
assert.equal(made.dataId, "n-1");
for (const code of [280, 200]) {
  const found = only(await ask("/green/image/results", [made.taskId]));
  assert.equal(found.code, code);
  if (code === 200) assert.equal(found.results[0].suggestion, "block");
}

const clientInfo = JSON.stringify({ userNick: "小明 & co", ip: "127.0.0.1" });
const sync = { scenes: ["porn"], tasks: [task("sexy.jpg")] };
const scanned = only(await ask("/green/image/scan", sync, { clientInfo }));
assert.equal(scanned.results[0].suggestion, "review");

const feedback = { taskId: made.taskId, suggestion: "pass", scenes: ["porn"] };
assert.equal((await ask("/green/image/feedback", feedback)).code, 200);
const credentials = await ask("/green/credentials/uploadcredentials", {});
assert.equal(credentials.data.ossEndpoint, endpoint);

const stranger = new ROAClient({ ...options, accessKeySecret: "another" });
await assert.rejects(ask("/green/image/asyncscan", body, {}, stranger), {
  code: "SignatureDoesNotMatch",
});
console.log(`official Node.js client: every operation, ${securityToken ? "STS" : "AK"}`);

// The vendor's client for Node, unchanged: first a line with every method it has, then for each line that asks for one call a line that says how it ended.
import readline from "node:readline";
import stytch from "stytch";

const { url, project_id, secret } = JSON.parse(process.argv[2]);
const client = new stytch.Client({ project_id, secret, env: url, fraud_env: url });
const NO_PRODUCTS = new Set(["fetchConfig", "jwksClient", "jwtConfig", "policyCache"]);

function* methods(held, path) {
  for (const [name, value] of Object.entries(held)) {
    if (NO_PRODUCTS.has(name) || value === null || typeof value !== "object") continue;
    if (Object.getPrototypeOf(value) === Object.prototype) continue;
    yield* methods(value, [...path, name]);
  }
  if (path.length === 0) return;
  for (const name of Object.getOwnPropertyNames(Object.getPrototypeOf(held))) {
    if (name !== "constructor" && typeof held[name] === "function") yield [...path, name].join(".");
  }
}

async function ended({ name, args }) {
  const path = name.split(".");
  const method = path.pop();
  const product = path.reduce((held, step) => held[step], client);
  try {
    const answer = await product[method](args);
    if (answer !== null && typeof answer?.next === "function") return { status: 200, first: await answer.next() };
    return { status: answer?.status_code ?? 200, keys: Object.keys(answer ?? {}) };
  } catch (error) {
    const { status_code, error_type, error_url } = error;
    return { status: status_code ?? null, error_type: error_type ?? null, error_url, words: String(error) };
  }
}

console.log(JSON.stringify([...methods(client, [])]));
for await (const line of readline.createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await ended(JSON.parse(line))));
}

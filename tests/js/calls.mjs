// The vendor's client for Node, unchanged, one call for each line of JSON that comes in: `["webauthn.registerStart", {...}]`. Each answer or refusal goes out as a line.
import { createInterface } from "node:readline";
import stytch from "stytch";

const { url, project_id, secret } = JSON.parse(process.argv[2]);
const client = new stytch.Client({ project_id, secret, env: `${url}/` });

for await (const line of createInterface({ input: process.stdin })) {
  const [name, parameters] = JSON.parse(line);
  const path = name.split(".");
  const method = path.pop();
  const product = path.reduce((held, part) => held[part], client);
  try {
    console.log(JSON.stringify(await product[method](parameters)));
  } catch (fault) {
    console.log(JSON.stringify({ error_type: fault.error_type ?? String(fault) }));
  }
}

// better-auth's session check over the bare handler of the same runtime, as JSON: microseconds of processor, the best of rounds that alternate.
// Usual set-up: e-mail and password on a file of SQLite by Node's own module, which better-auth drives itself (better-sqlite3 is slower here, and is
// compiled for minutes where no binary is fetched); a second figure with its cookie cache, which reads no database.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";

const ORIGIN = "http://localhost:8000";
const [times, rounds] = process.argv.slice(2).map(Number);

async function signedIn(folder, name, session) {
  const auth = betterAuth({
    baseURL: ORIGIN,
    secret: "a secret of the benches that is long enough for every peer 0123456789",
    database: new DatabaseSync(join(folder, `${name}.sqlite3`)),
    emailAndPassword: { enabled: true },
    telemetry: { enabled: false },
    session,
  });
  await (await getMigrations(auth.options)).runMigrations();
  const body = { email: "ada@example.org", password: "correct horse battery staple 42", name: "Ada" };
  const entered = await auth.api.signUpEmail({ body, asResponse: true });
  const cookie = entered.headers.getSetCookie().map((one) => one.split(";")[0]).join("; ");
  return { auth, cookie };
}

const bare = async () => new Response("hello");

const checking = (auth) => async (request) => {
  const found = await auth.api.getSession({ headers: request.headers });
  return found ? new Response("hello") : new Response("no", { status: 401 });
};

async function drive(handler, cookie) {
  for (let n = 0; n < times; n++) {
    const answer = await handler(new Request(`${ORIGIN}/private`, { headers: { cookie, accept: "application/json" } }));
    if (answer.status !== 200) throw new Error(`answered ${answer.status}`);
  }
}

async function best(drives) {
  const least = Object.fromEntries(Object.keys(drives).map((name) => [name, Infinity]));
  for (let round = 0; round <= rounds; round++) {
    for (const [name, one] of Object.entries(drives)) {
      const began = process.cpuUsage();
      await one();
      const { user, system } = process.cpuUsage(began);
      if (round) least[name] = Math.min(least[name], (user + system) / times);
    }
  }
  return least;
}

const folder = mkdtempSync(join(tmpdir(), "authmw-bench-"));
try {
  const figures = {};
  for (const [name, session] of Object.entries({
    "better-auth, database": {},
    "better-auth, cookie cache": { cookieCache: { enabled: true, maxAge: 3600 } },
  })) {
    const { auth, cookie } = await signedIn(folder, name, session);
    const least = await best({ bare: () => drive(bare, cookie), theirs: () => drive(checking(auth), cookie) });
    figures[name] = { bare: least.bare, "live session": least.theirs - least.bare };
  }
  console.log(JSON.stringify(figures));
} finally {
  rmSync(folder, { recursive: true });
}

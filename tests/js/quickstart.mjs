// A host as a newcomer writes it: the vendor's client and a session of its own on the server. It listens where it may, says where, and reads its credentials
// from the environment.
import { createServer } from "node:http";
import { randomUUID } from "node:crypto";
import stytch from "stytch";

const landing = "http://localhost:3000/authenticate";
const client = new stytch.Client({
  project_id: process.env.STYTCH_PROJECT_ID,
  secret: process.env.STYTCH_SECRET,
  env: process.env.STYTCH_ADDRESS,
});
const sessions = new Map();

const routes = {
  "POST /login": async (request) => {
    const { email } = JSON.parse(await body(request));
    const params = { email, login_magic_link_url: landing, signup_magic_link_url: landing };
    return { json: await client.magicLinks.email.loginOrCreate(params) };
  },
  "GET /authenticate": async (request, query, mine) => {
    const answer = await client.magicLinks.authenticate({ token: query.get("token"), session_duration_minutes: 60 });
    mine.session_jwt = answer.session_jwt;
    return { location: "/dashboard" };
  },
  "GET /dashboard": async (request, query, mine) => {
    if (!mine.session_jwt) return { text: "Log in to view this page" };
    const answer = await client.sessions.authenticate({ session_jwt: mine.session_jwt }).catch((error) => error);
    if (answer.status_code !== 200) {
      mine.session_jwt = undefined;
      return { text: "Log in to view this page", status_seen: answer.status_code };
    }
    return { text: "You're logged in." };
  },
  "POST /sign-out": async (request, query, mine) => {
    await client.sessions.revoke({ session_jwt: mine.session_jwt });
    return { text: "Signed out elsewhere." };
  },
};

async function body(request) {
  let text = "";
  for await (const chunk of request) text += chunk;
  return text;
}

createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url, landing);
  const sid = /sid=([\w-]+)/.exec(request.headers.cookie ?? "")?.[1] ?? randomUUID();
  if (!sessions.has(sid)) sessions.set(sid, {});
  const route = routes[`${request.method} ${pathname}`];
  const answer = route ? await route(request, searchParams, sessions.get(sid)) : { text: "nothing here" };
  const headers = { "set-cookie": `sid=${sid}; HttpOnly`, "x-status-seen": String(answer.status_seen ?? "") };
  if (answer.location) response.writeHead(302, { ...headers, location: answer.location }).end();
  else response.writeHead(200, headers).end(answer.json ? JSON.stringify(answer.json) : answer.text);
}).listen(0, "127.0.0.1", function listening() {
  console.log(this.address().port);
});

// The vendor's client for Node, unchanged, against a running `authmw dev`: what it saw, as one line of JSON.
import stytch from "stytch";

const { url, project_id, secret, inbox_url } = JSON.parse(process.argv[2]);
const client = new stytch.Client({ project_id, secret, env: `${url}/` });
const newest = async () => (await (await fetch(inbox_url)).json())[0];
const refusal = async (call) => {
  try {
    await call();
    return "nothing refused";
  } catch (error) {
    return `${error.status_code} ${error.error_type}`;
  }
};

const created = await client.users.create({ email: "ada@example.org", name: { first_name: "Ada" } });
const asked = await client.magicLinks.email.loginOrCreate({ email: "ada@example.org" });
const token = new URL((await newest()).links[0]).searchParams.get("token");
const signedIn = await client.magicLinks.authenticate({ token, session_duration_minutes: 60 });
const spent = await refusal(() => client.magicLinks.authenticate({ token }));
const remote = await client.sessions.authenticate({ session_token: signedIn.session_token });
const local = await client.sessions.authenticateJwtLocal({ session_jwt: signedIn.session_jwt });
await client.sessions.revoke({ session_token: signedIn.session_token });
const revoked = await refusal(() => client.sessions.authenticate({ session_token: signedIn.session_token }));
const found = await client.users.search({ limit: 10 });
const stranger = new stytch.Client({ project_id, secret: "secret-test-wrong", env: `${url}/` });
const unknown = await refusal(() => stranger.users.search({}));

console.log(
  JSON.stringify({
    created: created.user_id,
    asked: asked.user_created,
    signedIn: signedIn.user.user_id,
    name: signedIn.user.name.first_name,
    remote: remote.session.session_id,
    local: local.session_id,
    spent,
    revoked,
    found: found.results.map((user) => user.user_id),
    unknown,
  }),
);

// The vendor's client for Node, unchanged, against a running `authmw dev`: what it saw, as one line of JSON.
import stytch from "stytch";

const { url, project_id, secret, public_token, inbox_url } = JSON.parse(process.argv[2]);
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

// A browser that goes to the stand-in for a provider and back; it keeps its cookies, and takes localhost for the address it was told.
const visit = async (provider, email, query) => {
  const cookies = {};
  const ask = async (place, options = {}) => {
    const cookie = Object.entries(cookies).map((pair) => pair.join("=")).join("; ");
    const headers = { origin: url, ...options.headers, cookie };
    const answer = await fetch(new URL(place.replace("localhost", "127.0.0.1"), url), { ...options, headers, redirect: "manual" });
    for (const one of answer.headers.getSetCookie()) {
      const [name, value] = one.split(";")[0].split("=");
      cookies[name] = value;
    }
    return answer;
  };
  const started = await ask(`/v1/public/oauth/${provider}/start?${new URLSearchParams({ public_token, ...query })}`);
  const place = started.headers.get("location");
  const fields = new URLSearchParams(new URL(place).search);
  for (const [name, value] of Object.entries({ email, verified: "on", decision: "allow" })) fields.set(name, value);
  const back = await ask(place, { method: "POST", body: fields });
  const landed = await ask(back.headers.get("location"));
  return new URL(landed.headers.get("location")).searchParams.get("token");
};
const byGitHub = await client.oauth.authenticate({
  token: await visit("github", "grace@example.org", {}),
  session_duration_minutes: 60,
});
const attach = await client.oauth.attach({ provider: "slack", session_token: byGitHub.session_token });
const bySlack = await client.oauth.authenticate({
  token: await visit("slack", "hopper@example.org", { oauth_attach_token: attach.oauth_attach_token }),
  session_token: byGitHub.session_token,
});
const noProvider = await refusal(() => client.oauth.attach({ provider: "nobody", user_id: byGitHub.user_id }));

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
    oauth: [byGitHub, bySlack].map((answer) => [answer.user_id, answer.provider_type]),
    attached: bySlack.user.providers.map((one) => one.provider_type).sort(),
    noProvider,
  }),
);

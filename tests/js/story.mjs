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

// Connected apps: the client of an app that the person lets in, at the endpoints that belong to it.
const { connected_app: app } = await client.connectedApp.clients.create({
  client_type: "third_party",
  client_name: "Notes",
  redirect_urls: ["https://app.example/back"],
});
const verifier = "v".repeat(43);
const hashed = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
const asking = {
  client_id: app.client_id,
  redirect_uri: "https://app.example/back",
  response_type: "code",
  scopes: ["openid", "offline_access"],
  user_id: byGitHub.user_id,
};
const consent = await client.idp.oauth.authorizeStart(asking);
const { authorization_code: code } = await client.idp.oauth.authorize({
  ...asking,
  consent_granted: true,
  code_challenge: Buffer.from(hashed).toString("base64url"),
});
const redeemed = await fetch(`${url}/v1/public/${project_id}/oauth2/token`, {
  method: "POST",
  body: new URLSearchParams({
    grant_type: "authorization_code",
    client_id: app.client_id,
    client_secret: app.client_secret,
    redirect_uri: asking.redirect_uri,
    code_verifier: verifier,
    code,
  }),
});
const { access_token } = await redeemed.json();
const introspected = await client.idp.introspectTokenNetwork({
  token: access_token,
  client_id: app.client_id,
  client_secret: app.client_secret,
});
const letIn = (await client.users.connectedApps({ user_id: byGitHub.user_id })).connected_apps;
await client.users.revoke({ user_id: byGitHub.user_id, connected_app_id: app.client_id });
const taken = (await client.users.connectedApps({ user_id: byGitHub.user_id })).connected_apps;
const started = await client.connectedApp.clients.secrets.rotateStart({ client_id: app.client_id });
const rotated = await client.connectedApp.clients.secrets.rotate({ client_id: app.client_id });

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
    consent: consent.consent_required,
    introspected: introspected.subject,
    apps: [letIn, taken].map((list) => list.map((one) => one.name)),
    rotated: started.connected_app.next_client_secret_last_four === rotated.connected_app.client_secret_last_four,
  }),
);

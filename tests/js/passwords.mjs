// Passwords by the vendor's client for Node, unchanged, against a running `authmw dev`: what it saw, as one line of JSON.
import stytch from "stytch";

const { url, project_id, secret, inbox_url } = JSON.parse(process.argv[2]);
const client = new stytch.Client({ project_id, secret, env: `${url}/` });
const email = "grace@example.org";
const [first, second, third] = [
  "lovely purple submarine kettle",
  "nine quiet otters borrow ladders",
  "seven brave kettles ignore thunder",
];
const refusal = async (call) => {
  try {
    await call();
    return "nothing refused";
  } catch (error) {
    return `${error.status_code} ${error.error_type}`;
  }
};
const mail = async () =>
  (await (await fetch(inbox_url)).json()).find((one) => one.subject === "Reset your authmw demo password");

const made = await client.passwords.create({ email, password: first, session_duration_minutes: 60 });
const signedIn = await client.passwords.authenticate({ email, password: first, session_duration_minutes: 60 });
const strength = await client.passwords.strengthCheck({ password: "qwertyuiop" });
const weak = await refusal(() => client.passwords.create({ email: "x@example.org", password: "qwertyuiop" }));
await client.passwords.email.resetStart({ email });
const token = new URL((await mail()).links[0]).searchParams.get("token");
const reset = await client.passwords.email.reset({ token, password: second, session_duration_minutes: 60 });
const old = await refusal(() => client.passwords.authenticate({ email, password: first }));
const changed = await client.passwords.existingPassword.reset({
  email,
  existing_password: second,
  new_password: third,
  session_duration_minutes: 60,
});
const kept = await client.passwords.sessions.reset({ password: first, session_token: changed.session_token });

console.log(
  JSON.stringify({
    users: [made, signedIn, reset, changed, kept].map((one) => one.user_id),
    score: strength.score,
    valid: strength.valid_password,
    weak,
    old,
    same: kept.session.session_id === changed.session.session_id,
  }),
);

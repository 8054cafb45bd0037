// A certified OpenID provider on a free port of this machine, for one client. Says its issuer in a line, and ends with its standard input.
import { createServer } from "node:http";

import { Provider } from "oidc-provider";

const { redirect_uri, client_id, client_secret, method } = JSON.parse(process.argv[2]);
const server = createServer().listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [{ client_id, client_secret, redirect_uris: [redirect_uri], token_endpoint_auth_method: method }],
    claims: { email: ["email", "email_verified"], profile: ["given_name", "family_name", "picture"] },
    cookies: { keys: ["of this run alone"] },
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({
        sub: id,
        email: `${id}@example.org`,
        email_verified: !id.startsWith("unverified"),
        given_name: "Ada",
        family_name: "Byron",
        picture: "https://pictures.example/ada.png",
      }),
    }),
    clientAuthMethods: [method],
    pkce: { required: () => true },
  });
  server.on("request", provider.callback());
  console.log(JSON.stringify({ issuer }));
});
process.stdin.resume().on("end", () => process.exit(0));

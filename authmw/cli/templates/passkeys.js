// Passkeys on the demo's pages: plain JavaScript over the browser API. Without it every page works, and says what is missing.
"use strict";
(() => {
  const { page, next, minutes } = demo;
  const call = (path, body) => demo.call(`webauthn/${path}`, body);
  const begin = (path, more) => call(path, { domain: location.hostname, use_base64_url_encoding: true, ...more });
  const finish = (path, credential) =>
    call(path, { public_key_credential: JSON.stringify(credential), session_duration_minutes: minutes });

  // One ceremony at a time: a browser refuses a second one while the first waits in the address field.
  let waiting = new AbortController();
  const turn = () => {
    waiting.abort();
    waiting = new AbortController();
    return waiting.signal;
  };
  const asked = async (which) => {
    const { public_key_credential_request_options: options } = await begin(`authenticate/start/${which}`);
    return PublicKeyCredential.parseRequestOptionsFromJSON(JSON.parse(options));
  };
  const enter = async (credential) => {
    await finish("authenticate", credential);
    location.assign(next);
  };
  const prove = async (which) => {
    const signal = turn();
    await enter(await navigator.credentials.get({ publicKey: await asked(which), signal }));
  };
  const add = async () => {
    const start = await begin("register/start", {
      return_passkey_credential_options: true,
      user_agent: navigator.userAgent,
    });
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(
      JSON.parse(start.public_key_credential_creation_options),
    );
    await finish("register", await navigator.credentials.create({ publicKey }));
    location.reload();
  };

  const words = {
    InvalidStateError: "This device has a passkey for you already.",
    NotAllowedError: "That was called off, or no passkey of yours is here.",
    SecurityError: "Passkeys need this page at http://localhost, not at a number.",
  };
  const work = { login: () => prove("primary"), second: () => prove("secondary"), account: add };
  if (!window.PublicKeyCredential?.parseRequestOptionsFromJSON) {
    document.getElementById("passkey-note").textContent = "This browser has no passkeys, or not at this address.";
    return;
  }
  let again;
  const say = demo.button(
    "passkey",
    async () => {
      clearTimeout(again);
      await work[page]();
    },
    words,
  );

  // The address field offers passkeys from the start, unasked: so until somebody picks one, nothing that fails is said.
  const offer = async () => {
    if (page !== "login" || !(await PublicKeyCredential.isConditionalMediationAvailable?.())) return;
    const signal = turn();
    // A challenge waits five minutes; a page that stays open asks again before that.
    again = setTimeout(offer, 4 * 60 * 1000);
    let credential;
    try {
      credential = await navigator.credentials.get({ publicKey: await asked("primary"), mediation: "conditional", signal });
    } catch {
      return;
    }
    try {
      await enter(credential);
    } catch (fault) {
      say(fault.message);
    }
  };
  offer();
})();

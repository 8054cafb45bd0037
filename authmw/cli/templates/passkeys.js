// Passkeys on the demo's pages: plain JavaScript over the browser API. Without it every page works, and says what is missing.
"use strict";
(() => {
  const { token, page, next, minutes } = document.currentScript.dataset;
  const button = document.getElementById("passkey");
  const trouble = document.getElementById("passkey-trouble");
  const say = (text) => {
    trouble.textContent = text;
    trouble.hidden = false;
  };

  const call = async (path, body) => {
    const answer = await fetch(`/sdk/v1/webauthn/${path}`, {
      method: "POST",
      headers: { authorization: `Basic ${btoa(`${token}:${token}`)}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    const said = await answer.json();
    if (!answer.ok) throw Object.assign(new Error(said.error_message), { type: said.error_type });
    return said.data;
  };
  const begin = (path, more) => call(path, { domain: location.hostname, use_base64_url_encoding: true, ...more });
  const finish = (path, credential) =>
    call(path, { public_key_credential: JSON.stringify(credential), session_duration_minutes: Number(minutes) });

  // One ceremony at a time: a browser refuses a second one while the first waits in the address field.
  let waiting = new AbortController();
  const prove = async (which, mediation) => {
    waiting.abort();
    waiting = new AbortController();
    const { signal } = waiting;
    const asked = await begin(`authenticate/start/${which}`);
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(
      JSON.parse(asked.public_key_credential_request_options),
    );
    const credential = await navigator.credentials.get({ publicKey, mediation, signal });
    await finish("authenticate", credential);
    location.assign(next);
  };

  const add = async () => {
    const asked = await begin("register/start", {
      return_passkey_credential_options: true,
      user_agent: navigator.userAgent,
    });
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(
      JSON.parse(asked.public_key_credential_creation_options),
    );
    await finish("register", await navigator.credentials.create({ publicKey }));
    location.reload();
  };

  // A challenge waits five minutes; a page that stays open asks again before that.
  const offer = async () => {
    if (page !== "login" || !(await PublicKeyCredential.isConditionalMediationAvailable?.())) return;
    const again = setTimeout(offer, 4 * 60 * 1000);
    try {
      await prove("primary", "conditional");
    } catch (fault) {
      if (fault.name !== "AbortError") clearTimeout(again);
      if (!(fault instanceof DOMException)) say(fault.message);
    }
  };

  const words = {
    InvalidStateError: "This device has a passkey for you already.",
    NotAllowedError: "That was called off, or no passkey of yours is here.",
    SecurityError: "Passkeys need this page at http://localhost, not at a number.",
  };
  const stepUp = new Set(["insufficient_factors", "stale_factors"]);
  const work = { login: () => prove("primary"), second: () => prove("secondary"), account: add };
  if (!button) return;
  document.getElementById("passkey-note").hidden = true;
  if (!window.PublicKeyCredential?.parseRequestOptionsFromJSON) {
    say("This browser has no passkeys, or not at this address.");
    return;
  }
  button.hidden = false;
  button.addEventListener("click", async () => {
    trouble.hidden = true;
    button.disabled = true;
    try {
      await work[page]();
    } catch (fault) {
      if (stepUp.has(fault.type)) location.assign("/second?next=/account");
      else if (fault.name !== "AbortError") say(words[fault.name] ?? fault.message);
    } finally {
      button.disabled = false;
    }
  });
  offer();
})();

// This browser in the place of a phone: an Ed25519 key that is made here, never leaves and is read by nobody, as an app keeps one behind a fingerprint.
"use strict";
(() => {
  const { page, next, minutes } = demo;
  const call = (path, body) => demo.call(`biometrics/${path}`, body);
  const text = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)));
  const bytes = (written) => Uint8Array.from(atob(written), (one) => one.charCodeAt(0));

  const kept = (mode, ask) =>
    new Promise((resolve, reject) => {
      const opening = indexedDB.open("authmw demo", 1);
      opening.onupgradeneeded = () => opening.result.createObjectStore("keys");
      opening.onerror = () => reject(opening.error);
      opening.onsuccess = () => {
        const asked = ask(opening.result.transaction("keys", mode).objectStore("keys"));
        asked.onerror = () => reject(asked.error);
        asked.onsuccess = () => resolve(asked.result);
      };
    });
  const here = () => kept("readonly", (keys) => keys.get("device"));
  const keep = (pair) => kept("readwrite", (keys) => keys.put(pair, "device"));
  const forget = () => kept("readwrite", (keys) => keys.delete("device"));

  const named = async (pair) => text(await crypto.subtle.exportKey("raw", pair.publicKey));
  const answer = async (pair, asked) => ({
    biometric_registration_id: asked.biometric_registration_id,
    signature: text(await crypto.subtle.sign("Ed25519", pair.privateKey, bytes(asked.challenge))),
    session_duration_minutes: minutes,
  });
  const add = async () => {
    const pair = await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"]);
    const asked = await call("register/start", { public_key: await named(pair) });
    await call("register", await answer(pair, asked));
    await keep(pair);
    location.reload();
  };
  const enter = async () => {
    const pair = await here();
    let asked;
    try {
      asked = await call("authenticate/start", { public_key: await named(pair) });
    } catch (fault) {
      // The account has it no more, so it opens nothing.
      if (fault.type === "biometric_registration_not_found") await forget();
      throw fault;
    }
    await call("authenticate", await answer(pair, asked));
    location.assign(next);
  };

  const words = { NotSupportedError: "This browser makes no keys of the kind that is needed (Ed25519)." };
  const offer = async () => {
    if (!window.indexedDB || !window.crypto?.subtle) return;
    if (page === "account") demo.button("device", add, words);
    else if (await here()) demo.button("device", enter, words);
  };
  offer();
})();

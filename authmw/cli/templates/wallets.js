// The wallet that a browser has, as an extension puts it into the page: one of Ethereum (EIP-1193), or one of Solana.
"use strict";
(() => {
  const { call, minutes, next, page } = demo;
  const coded = (text) => new TextEncoder().encode(text);
  const letters = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
  const base58 = (bytes) => {
    let number = bytes.reduce((sum, one) => sum * 256n + BigInt(one), 0n);
    let text = "";
    for (; number > 0n; number /= 58n) text = letters[Number(number % 58n)] + text;
    return "1".repeat([...bytes].findIndex((one) => one !== 0)) + text;
  };
  const hex = (bytes) => "0x" + [...bytes].map((one) => one.toString(16).padStart(2, "0")).join("");

  const ethereum = async () => {
    const [address] = await window.ethereum.request({ method: "eth_requestAccounts" });
    const sign = (text) => window.ethereum.request({ method: "personal_sign", params: [hex(coded(text)), address] });
    return { crypto_wallet_type: "ethereum", crypto_wallet_address: address, sign };
  };
  const solana = async () => {
    const { publicKey } = await window.solana.connect();
    const sign = async (text) => base58((await window.solana.signMessage(coded(text), "utf8")).signature);
    return { crypto_wallet_type: "solana", crypto_wallet_address: publicKey.toString(), sign };
  };

  const enter = async (connect) => {
    const { sign, ...wallet } = await connect();
    const { challenge } = await call(`crypto_wallets/authenticate/start/${page}`, wallet);
    await call("crypto_wallets/authenticate", {
      ...wallet,
      signature: await sign(challenge),
      session_duration_minutes: minutes,
    });
    location.assign(next);
  };
  const found = window.ethereum ? ethereum : window.solana ? solana : undefined;
  if (found) demo.button("wallet", () => enter(found));
})();

import type { Bytes } from "../bytes.ts";

/** One of SWITCHYARD_ENCRYPTION_KEYS: 32 bytes and the id by which an envelope names them. */
export interface EncryptionKey {
  id: string;
  key: Bytes;
}

/** Seals tokens, each for one place: moved to another place an envelope does not open. */
export interface TokenCipher {
  seal(token: string, place: string): Promise<string>;
  /** Null for whatever none of the keys has sealed for this place. */
  open(envelope: string, place: string): Promise<string | null>;
}

/** Of AES-GCM, as NIST SP 800-38D recommends: 96 bits, never twice under one key. */
const NONCE_BYTES = 12;
const ALGORITHM = "AES-GCM";

/**
 * AES-256-GCM under the first key; all of them open, so that keys are rotated by putting a new one in
 * front. Envelopes are `<key id>.<base64 of nonce and ciphertext>`.
 */
export function createTokenCipher(
  keys: readonly EncryptionKey[],
  randomBytes: (length: number) => Bytes,
): TokenCipher {
  const [first] = keys;
  if (first === undefined) throw new RangeError("Cannot seal tokens: there is no encryption key");
  const imported = new Map<string, Promise<CryptoKey>>();
  if (new Set(keys.map(({ id }) => id)).size < keys.length) {
    throw new RangeError("Cannot seal tokens: two keys of SWITCHYARD_ENCRYPTION_KEYS have one id");
  }

  function importOnce(id: string): Promise<CryptoKey> | null {
    const known = imported.get(id);
    if (known !== undefined) return known;
    const key = keys.find((it) => it.id === id)?.key;
    if (key === undefined) return null;
    const importing = crypto.subtle.importKey("raw", key, ALGORITHM, false, ["encrypt", "decrypt"]);
    imported.set(id, importing);
    return importing;
  }

  return {
    async seal(token, place) {
      const nonce = randomBytes(NONCE_BYTES);
      const key = await importOnce(first.id)!;
      const text = new TextEncoder().encode(token);
      const sealed = new Uint8Array(
        await crypto.subtle.encrypt(parametersOf(nonce, place), key, text),
      );
      return `${first.id}.${toBase64([...nonce, ...sealed])}`;
    },
    async open(envelope, place) {
      const [, id = "", encoded = ""] = /^([^.]+)\.([^.]+)$/.exec(envelope) ?? [];
      const [key, bytes] = [importOnce(id), fromBase64(encoded)];
      if (key === null || bytes === null || bytes.length <= NONCE_BYTES) return null;
      const nonce = bytes.slice(0, NONCE_BYTES);
      const sealed = bytes.slice(NONCE_BYTES);
      try {
        const text = await crypto.subtle.decrypt(parametersOf(nonce, place), await key, sealed);
        return new TextDecoder().decode(text);
      } catch {
        return null;
      }
    },
  };
}

function parametersOf(nonce: Bytes, place: string): AesGcmParams {
  return { name: ALGORITHM, iv: nonce, additionalData: new TextEncoder().encode(place) };
}

function toBase64(bytes: readonly number[]): string {
  return btoa(String.fromCharCode(...bytes));
}

function fromBase64(encoded: string): Bytes | null {
  try {
    return Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0));
  } catch {
    return null;
  }
}

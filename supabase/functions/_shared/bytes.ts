/** Bytes that web crypto accepts; spelled so that TypeScript before and after 5.7 agree. */
export type Bytes = ReturnType<typeof Uint8Array.of>;

const HEX_OF_BYTE = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** Lowercase hexadecimal. */
export function toHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += HEX_OF_BYTE[byte];
  return text;
}

/** SHA-256 of the bytes, or of the text in UTF-8, as lowercase hexadecimal. */
export async function sha256Hex(input: Bytes | string): Promise<string> {
  const bytes = typeof input === "string" ? new TextEncoder().encode(input) : input;
  return toHex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}

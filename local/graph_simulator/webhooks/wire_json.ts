/**
 * JSON as Meta writes webhooks: ASCII only, everything else as `\uXXXX`, every slash as `\/`.
 * A receiver that parses and serialises again therefore gets other bytes and another signature.
 */
export function toWireJson(value: unknown): string {
  return JSON.stringify(value)
    // Outside strings JSON has no slash, so every slash may be escaped.
    .replaceAll("/", "\\/")
    .replace(/[\u007f-\uffff]/g, escapeUnit);
}

function escapeUnit(unit: string): string {
  return "\\u" + unit.charCodeAt(0).toString(16).padStart(4, "0");
}

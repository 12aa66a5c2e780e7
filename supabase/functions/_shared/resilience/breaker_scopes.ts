import { BREAKER_SETTINGS, SCOPE_KINDS } from "./breaker_settings.ts";
import type { BreakerSettings, ScopeKind } from "./breaker_settings.ts";

/** What a message says of whom its errors may concern. */
export interface ScopedMessage {
  tenantId: string;
  senderId: string;
  businessAccountId: string;
  /** Null for all that is no template. Meta approves and pauses each language by itself. */
  template: { name: string; language: string } | null;
}

/** The breakers that a message must pass, widest first. */
export function scopesOf(message: ScopedMessage): string[] {
  const { tenantId, senderId, businessAccountId, template } = message;
  const scopes = [
    "app",
    `tenant:${tenantId}`,
    `business_account:${businessAccountId}`,
    `sender:${senderId}`,
  ];
  if (template === null) return scopes;
  return [...scopes, `template:${businessAccountId}:${template.name}:${template.language}`];
}

/** The kind of a scope; throws for what scopesOf() never makes. */
export function kindOf(scope: string): ScopeKind {
  const kind = SCOPE_KINDS.find((it) => scope === it || scope.startsWith(`${it}:`));
  if (kind === undefined) throw new RangeError(`This is no scope of a breaker: ${scope}`);
  return kind;
}

/** The settings of the breaker of this scope. */
export function settingsOf(scope: string): BreakerSettings {
  return BREAKER_SETTINGS[kindOf(scope)];
}

/** True for the name of a breaker, as an operator may write it. */
export function isScope(text: string): boolean {
  return /^(app|(tenant|business_account|sender|callback):[^\s:]{1,64}|template:[^\s:]{1,64}:[^\s]{1,600})$/
    .test(text);
}

/** The tenant that a scope names, as a field of log lines; none for the other kinds. */
export function tenantIdOf(scope: string): { tenant_id?: string } {
  return scope.startsWith("tenant:") ? { tenant_id: scope.slice("tenant:".length) } : {};
}

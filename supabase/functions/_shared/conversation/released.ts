/** A version of a machine that conversations run on, and the fingerprint that it was released with. */
export interface Release {
  id: string;
  version: number;
  fingerprint: string;
}

/**
 * Every version that was released, for ever: what a line says never changes, a changed machine gets
 * another line. Without XState, so that who only names machines need not load it.
 */
export const RELEASES = {
  menu1: {
    id: "menu",
    version: 1,
    fingerprint: "89e7e062f708c465829420e7972788cba601c640957b9969a620222eaa0bfb65",
  },
} as const satisfies Record<string, Release>;

/** What a tenant may choose. */
export const MACHINE_IDS: readonly string[] = [
  ...new Set(Object.values(RELEASES).map(({ id }) => id)),
];

/** One Redis, wherever it runs. A command that Redis refuses throws a RedisError. */
export interface Redis {
  readonly kind: "external" | "server" | "in_process";
  command(args: string[]): Promise<unknown>;
  /** MULTI/EXEC: one result or RedisError for each command; throws when all were discarded. */
  transaction(commands: string[][]): Promise<unknown[]>;
  stop(): Promise<void>;
}

/** Redis answered, and refused: its message begins with a code such as ERR or WRONGTYPE. */
export class RedisError extends Error {
  override name = "RedisError";
}

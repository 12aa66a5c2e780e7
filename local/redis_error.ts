/** Redis answered, and refused: its message begins with a code such as ERR or WRONGTYPE. */
export class RedisError extends Error {
  override name = "RedisError";
}

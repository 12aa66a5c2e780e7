/**
 * Callers that ask for the same key while an answer is on its way share it, also when it fails.
 * Nothing is kept: who asks afterwards gets a fresh answer.
 */
export function coalesce<Value>(
  load: (key: string) => Promise<Value>,
): (key: string) => Promise<Value> {
  const onTheWay = new Map<string, Promise<Value>>();
  return (key) => {
    const known = onTheWay.get(key);
    if (known !== undefined) return known;
    const loading = load(key).finally(() => onTheWay.delete(key));
    onTheWay.set(key, loading);
    return loading;
  };
}

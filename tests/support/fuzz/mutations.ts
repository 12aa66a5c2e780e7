import type { Random } from "../../chaos/random.ts";
import type { Json, JsonObject } from "./documented.ts";

/** One place in a body: the object or list that holds it, and under which name. */
interface Place {
  holder: JsonObject | Json[];
  key: string;
}

type Mutate = (place: Place, random: Random) => void;

/** Names that mean something to JavaScript, Postgres or this project. */
const NAMES = [
  ...["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "length", "then"],
  ...["toJSON", "id", "messages", "statuses", "contacts", "errors", "metadata", "field", "value"],
  ...["", "0", "a\u0000b", "ключ", "🔑", "select 1; --", "$1", "n".repeat(5_000)],
];

const STRINGS = [
  ...["", " ", "\u0000", "a\u0000b", "\ud800", "\udfff x", "\ufeff", "\u202e", "e\u0301", "🏳️‍🌈"],
  ...["null", "NaN", "1e999", "-1", "0", "99999999999999999999", "2038-01-19T03:14:07Z"],
  ...["'; drop table x; --", "{}", "[]", "\\", '"', "%s%n", "../../etc/passwd", "<script>"],
  ...["x".repeat(257), "é".repeat(3_000), "y".repeat(70_000)],
];

// As JSON text: what JSON.stringify would not write of itself.
const NUMBERS = [
  ...["0", "-0", "1e308", "1e999", "-1e999", "1e-400", "9007199254740993", "12345678901234567890"],
  ...["-1", "0.1", "253402300800", "-62135596801", "1E+2", "123456789.000000001"],
];

const put = ({ holder, key }: Place, value: Json): void => {
  // Assigning to __proto__ would change no member.
  Object.defineProperty(holder, key, {
    value,
    enumerable: true,
    configurable: true,
    writable: true,
  });
};
const current = ({ holder, key }: Place): Json => (holder as JsonObject)[key]!;
const oneOf = <T>(random: Random, items: readonly T[]): T =>
  items[random.between(0, items.length - 1)]!;
const remove = ({ holder, key }: Place): void => {
  if (Array.isArray(holder)) holder.splice(Number(key), 1);
  else delete holder[key];
};

const MUTATIONS: Readonly<Record<string, Mutate>> = {
  drop: remove,
  nullify: (place) => put(place, null),
  duplicate(place) {
    if (Array.isArray(place.holder)) place.holder.push(copy(current(place)));
    else place.holder[`${place.key}_2`] = copy(current(place));
  },
  rename(place, random) {
    if (Array.isArray(place.holder)) return;
    const value = current(place);
    remove(place);
    put({ ...place, key: oneOf(random, NAMES) }, value);
  },
  add(place, random) {
    if (!Array.isArray(place.holder)) put({ ...place, key: oneOf(random, NAMES) }, true);
    else place.holder.push(oneOf<Json>(random, [null, 1, "x", [], {}]));
  },
  retype(place, random) {
    put(place, oneOf<Json>(random, [true, 7, "text", [], {}, [[]], [{}], ["x", 1], { id: 1 }]));
  },
  wrap: (place, random) =>
    put(place, random.chance(0.5) ? [current(place)] : { wrapped: current(place) }),
  unwrap(place) {
    const value = current(place);
    if (typeof value !== "object" || value === null) return;
    put(place, Object.values(value)[0] ?? null);
  },
  retag: (place, random) => put(place, oneOf(random, STRINGS)),
  renumber: (place, random) => put(place, JSON.rawJSON(oneOf(random, NUMBERS))),
  swap(place) {
    const other = Object.keys(place.holder).find((key) => key !== place.key);
    if (other === undefined) return;
    const [mine, theirs] = [current(place), current({ ...place, key: other })];
    put(place, theirs);
    put({ ...place, key: other }, mine);
  },
  bury(place, random) {
    let value = current(place);
    const levels = oneOf(random, [5, 30, 70, 1_000]);
    for (let level = 0; level < levels; level++) value = level % 2 === 0 ? [value] : { value };
    put(place, value);
  },
  swell: (place, random) =>
    put(
      place,
      Array.from({ length: random.between(2, 12) }, () => copy(current(place))),
    ),
};

// What rawJSON() gives must not be taken apart.
const isOpen = (value: Json): value is JsonObject | Json[] =>
  typeof value === "object" && value !== null && !JSON.isRawJSON(value);

function copy(value: Json): Json {
  if (!isOpen(value)) return value;
  if (Array.isArray(value)) return value.map(copy);
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, copy(member)]));
}

function findPlaces(body: Json): Place[] {
  const places: Place[] = [];
  const waiting: Json[] = [body];
  while (waiting.length > 0) {
    const holder = waiting.pop()!;
    if (!isOpen(holder)) continue;
    for (const [key, value] of Object.entries(holder)) {
      places.push({ holder, key });
      waiting.push(value);
    }
  }
  return places;
}

/** Breaks up to four things of a body, which is changed; an empty list of names leaves it whole. */
export function mutateBody(body: Json, random: Random): string[] {
  const names: string[] = [];
  for (let left = random.between(1, 4); left > 0; left--) {
    const places = findPlaces(body);
    if (places.length === 0 || places.length > 20_000) break;
    const name = oneOf(random, Object.keys(MUTATIONS));
    MUTATIONS[name]!(oneOf(random, places), random);
    names.push(name);
  }
  return names;
}

/** Breaks the text itself: cut, doubled members, escapes, bytes that are no UTF-8. */
export function mutateText(text: string, random: Random): Uint8Array<ArrayBuffer> {
  const at = random.between(0, text.length);
  const written = oneOf(random, [
    () => text.slice(0, at),
    () => `${text}${text.slice(at)}`,
    () => `\ufeff${text}`,
    () => text.replaceAll(/[é-￿]/g, (it) => `\\u${it.charCodeAt(0).toString(16).padStart(4, "0")}`),
    () => text.replaceAll("/", "\\/"),
    () => text.replace('"entry":', '"entry":null,"entry":'),
    () => `${" ".repeat(1_000)}${text}\n`,
    () => "",
    () => `{"object":"whatsapp_business_account","entry":${"[".repeat(9_000)}${"]".repeat(9_000)}}`,
  ])();
  const bytes = new TextEncoder().encode(written);
  for (let left = random.between(0, 2); left > 0 && bytes.length > 0; left--) {
    bytes[random.between(0, bytes.length - 1)] = random.between(0, 255);
  }
  return bytes;
}

declare global {
  interface JSON {
    rawJSON(text: string): Json;
    isRawJSON(value: unknown): boolean;
  }
}

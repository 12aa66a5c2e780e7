import { createRandom } from "../../chaos/random.ts";
import { type Addressee, createBodyMaker } from "./bodies.ts";
import { mutateBody, mutateText } from "./mutations.ts";

/** A webhook's body on the wire. */
export interface BrokenBody {
  bytes: Uint8Array<ArrayBuffer>;
  /** What was broken, in this order; nothing: the body is as Meta documents it. */
  mutations: string[];
}

const STRANGER: Addressee = { phoneNumberId: "98989898", businessAccountId: "89898989" };

/**
 * Bodies for the given numbers and for one that nobody has: a tenth whole, the others with one to
 * four things broken, a tenth in its text. The same seed makes the same bodies.
 */
export function* makeBodies(
  options: { seed: number; count: number; addressees: readonly Addressee[] },
): Generator<BrokenBody> {
  const random = createRandom(options.seed);
  const maker = createBodyMaker(random, [...options.addressees, STRANGER]);
  for (let nth = 0; nth < options.count; nth++) {
    const body = maker.make();
    const mutations = random.chance(0.1) ? [] : mutateBody(body, random);
    const text = JSON.stringify(body);
    yield random.chance(0.1)
      ? { bytes: mutateText(text, random), mutations: [...mutations, "text"] }
      : { bytes: new TextEncoder().encode(text), mutations };
  }
}

import { RecentMap } from "../recent_map.ts";

/** Meta keeps what it fetched from a link for 10 minutes, by the exact URL. */
const CACHED_MS = 10 * 60_000;
const REMEMBERED_LINKS = 1_000;

/** Looks whether the media behind a link can be fetched, as seldom as Meta looks. */
export interface MediaLinks {
  isReachable(url: string): Promise<boolean>;
  clear(): void;
}

export function createMediaLinks(deps: { now: () => number; fetch: typeof fetch }): MediaLinks {
  const looked = new RecentMap<string, { at: number; answer: Promise<boolean> }>(REMEMBERED_LINKS);

  async function look(url: string): Promise<boolean> {
    try {
      const response = await deps.fetch(url);
      await response.arrayBuffer();
      return response.ok;
    } catch {
      // An unreachable link is what is being asked about: Meta reports it as 131053.
      return false;
    }
  }

  return {
    isReachable(url) {
      const known = looked.get(url);
      if (known !== undefined && deps.now() - known.at < CACHED_MS) return known.answer;
      const answer = look(url);
      looked.set(url, { at: deps.now(), answer });
      return answer;
    },
    clear: () => looked.clear(),
  };
}

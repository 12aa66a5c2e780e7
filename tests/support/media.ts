const away = () => Promise.reject(new Error("There is no Storage here"));

/** For handlers of conversations in tests that keep no files. */
export const NO_MEDIA = {
  fetch,
  deadline: (ms: number) => AbortSignal.timeout(ms),
  graph: { url: "https://graph.test", version: "v25.0" },
  store: { read: () => Promise.resolve(null), write: away, remove: away },
  keepMedia: away,
  keepMediaInBackground: away,
  keepAlive: () => {},
};

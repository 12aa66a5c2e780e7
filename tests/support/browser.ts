/**
 * A real Chromium without a screen, driven by its DevTools protocol: the few commands that a scenario
 * needs, over one WebSocket. https://chromedevtools.github.io/devtools-protocol/ (2026-11)
 */

/** A page as somebody sees and uses it; selectors are CSS. */
export interface Page {
  open(url: string): Promise<void>;
  /** The value of an expression in the page, as JSON carries it. */
  evaluate<T>(expression: string): Promise<T>;
  /** Presses the mouse in the middle of the first element that the selector finds and shows this text. */
  click(selector: string, text?: string): Promise<void>;
  /** Types into what has the focus. */
  type(text: string): Promise<void>;
  press(key: "Enter" | "Escape"): Promise<void>;
  /** A picture of what is seen, as PNG. */
  screenshot(): Promise<Uint8Array>;
  /** What the page wrote to its console as an error, and what it threw. */
  faults: readonly string[];
}

export interface Browser extends AsyncDisposable {
  page(size?: { width: number; height: number }): Promise<Page>;
}

/**
 * A test in a real browser. On a machine without one it is left out, which the run says; `.ci/run`
 * installs Chromium, so that nothing is merged without these tests.
 */
export function browserTest(name: string, fn: () => Promise<void>): void {
  const ignore = !NAMES.some(isInstalled);
  Deno.test({ name: ignore ? `${name} (left out: ${HOW_TO_INSTALL})` : name, ignore, fn });
}

/** Starts it; for `await using`, which ends it. Throws with what to install where there is none. */
export async function startBrowser(): Promise<Browser> {
  const profile = await Deno.makeTempDir({ prefix: "switchyard-chromium-" });
  const child = launch(profile);
  const socket = await connect(await addressIn(child.stderr));
  return {
    page: (size = { width: 420, height: 860 }) => openPage(socket, size),
    async [Symbol.asyncDispose]() {
      await socket.send("Browser.close").catch(() => {});
      socket.close();
      await child.status;
      await Deno.remove(profile, { recursive: true }).catch(() => {});
    },
  };
}

const NAMES = [
  Deno.env.get("CHROMIUM") ?? [],
  ["chromium", "chromium-browser", "google-chrome", "chrome"],
].flat();
const HOW_TO_INSTALL = "`apt-get install chromium`, or set CHROMIUM";

function isInstalled(name: string): boolean {
  try {
    return new Deno.Command(name, { args: ["--version"] }).outputSync().success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function launch(profile: string): Deno.ChildProcess {
  for (const name of NAMES) {
    try {
      return new Deno.Command(name, {
        args: [
          "--headless=new",
          // As root, and in containers without user namespaces, it has no sandbox of its own.
          "--no-sandbox",
          "--disable-gpu",
          "--disable-dev-shm-usage",
          "--no-first-run",
          // It would ask its maker for things that no test needs, and wait where there is no internet.
          "--disable-background-networking",
          "--disable-component-update",
          "--disable-sync",
          "--disable-quic",
          "--hide-scrollbars",
          "--remote-debugging-port=0",
          `--user-data-dir=${profile}`,
          "about:blank",
        ],
        stdin: "null",
        stdout: "null",
        stderr: "piped",
      }).spawn();
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  throw new Error(`Chromium is not installed: ${HOW_TO_INSTALL}.`);
}

async function addressIn(stderr: ReadableStream<Uint8Array>): Promise<string> {
  const reader = stderr.pipeThrough(new TextDecoderStream()).getReader();
  let said = "";
  while (true) {
    const { value, done } = await reader.read();
    said += value ?? "";
    const address = /DevTools listening on (ws:\S+)/.exec(said)?.[1];
    if (address !== undefined) {
      // What it says later is of no interest, and must not fill the pipe.
      void (async () => {
        while (!(await reader.read()).done);
      })();
      return address;
    }
    if (done) throw new Error(`Chromium did not start: ${said.slice(-2_000)}`);
  }
}

type Params = Record<string, unknown>;

/** What is read of the answers; a command that is not here answers nothing that we want. */
interface Answers {
  "Target.createTarget": { targetId: string };
  "Target.attachToTarget": { sessionId: string };
  "Runtime.evaluate": {
    result: { value?: unknown };
    exceptionDetails?: { exception?: { description?: string } };
  };
  "Page.captureScreenshot": { data: string };
}

type Send = <Method extends string>(
  method: Method,
  params?: Params,
  sessionId?: string,
) => Promise<Method extends keyof Answers ? Answers[Method] : void>;

interface Socket {
  send: Send;
  onEvent(listener: (method: string, params: Params, sessionId?: string) => void): void;
  close(): void;
}

async function connect(address: string): Promise<Socket> {
  const socket = new WebSocket(address);
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error(`Cannot connect to ${address}`));
  });
  // Whoever waits knows what is answered; Chromium is taken at its word.
  const waiting = new Map<number, PromiseWithResolvers<never>>();
  const listeners: Parameters<Socket["onEvent"]>[0][] = [];
  let sent = 0;
  socket.onmessage = ({ data }) => {
    const { id, result, error, method, params, sessionId } = JSON.parse(data);
    if (id === undefined) return listeners.forEach((listen) => listen(method, params, sessionId));
    const answer = waiting.get(id)!;
    waiting.delete(id);
    if (error) answer.reject(new Error(`${error.message} ${error.data ?? ""}`));
    else answer.resolve(result);
  };
  socket.onclose = () => {
    for (const answer of waiting.values()) answer.reject(new Error("Chromium is gone"));
  };
  return {
    send(method, params = {}, sessionId) {
      const id = ++sent;
      const answer = Promise.withResolvers<never>();
      waiting.set(id, answer);
      socket.send(JSON.stringify({ id, method, params, ...(sessionId && { sessionId }) }));
      return answer.promise;
    },
    onEvent: (listener) => void listeners.push(listener),
    close: () => socket.close(),
  };
}

const MAX_CLICKS = 20;

/** Runs in the page: says where to press, and takes note of whether that hits. */
const aim = `(selector, text) => {
  const isMeant = (one) => one?.textContent.includes(text);
  const element = [...document.querySelectorAll(selector)].findLast(isMeant);
  if (!element) return null;
  globalThis.wasHit = false;
  document.addEventListener("click", ({ target }) => {
    if (isMeant(target.closest(selector))) globalThis.wasHit = true;
  }, { capture: true, once: true });
  element.scrollIntoView({ block: "center", behavior: "instant" });
  const { left, top, width, height } = element.getBoundingClientRect();
  return { x: left + width / 2, y: top + height / 2 };
}`;

async function openPage(
  socket: Socket,
  size: { width: number; height: number },
): Promise<Page> {
  const { targetId } = await socket.send("Target.createTarget", { url: "about:blank" });
  const { sessionId } = await socket.send("Target.attachToTarget", { targetId, flatten: true });
  const send: Send = (method, params) => socket.send(method, params, sessionId);
  const faults: string[] = [];
  const loaded: (() => void)[] = [];
  socket.onEvent((method, params, of) => {
    if (of !== sessionId) return;
    if (method === "Page.loadEventFired") loaded.splice(0).forEach((resolve) => resolve());
    if (method === "Runtime.exceptionThrown") faults.push(JSON.stringify(params.exceptionDetails));
    if (method === "Runtime.consoleAPICalled" && params.type === "error") {
      faults.push(JSON.stringify(params.args));
    }
  });
  await Promise.all([send("Page.enable"), send("Runtime.enable")]);
  await send("Emulation.setDeviceMetricsOverride", {
    ...size,
    deviceScaleFactor: 2,
    mobile: false,
  });

  async function evaluate<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await send("Runtime.evaluate", {
      expression,
      returnByValue: true,
      awaitPromise: true,
    });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? expression);
    return result.value as T;
  }

  return {
    faults,
    evaluate,
    async open(url) {
      const load = new Promise<void>((resolve) => loaded.push(resolve));
      await send("Page.navigate", { url });
      await load;
    },
    async click(selector, text = "") {
      const wanted = `${JSON.stringify(selector)}, ${JSON.stringify(text)}`;
      for (let tries = 0; tries < MAX_CLICKS; tries++) {
        const found = await evaluate<{ x: number; y: number } | null>(`(${aim})(${wanted})`);
        if (found === null) throw new Error(`Nothing to click: ${selector} with "${text}"`);
        const button = { ...found, button: "left", clickCount: 1 };
        await send("Input.dispatchMouseEvent", { type: "mousePressed", ...button });
        await send("Input.dispatchMouseEvent", { type: "mouseReleased", ...button });
        // A bubble that comes in between moves what is aimed at.
        if (await evaluate<boolean>("globalThis.wasHit")) return;
      }
      throw new Error(`Cannot hit ${selector} with "${text}": it moves`);
    },
    type: (text) => send("Input.insertText", { text }),
    async press(key) {
      const code = { Enter: 13, Escape: 27 }[key];
      const event = { key, code: key, windowsVirtualKeyCode: code };
      const text = key === "Enter" ? { text: "\r" } : {};
      await send("Input.dispatchKeyEvent", { type: "keyDown", ...event, ...text });
      await send("Input.dispatchKeyEvent", { type: "keyUp", ...event });
    },
    async screenshot() {
      const { data } = await send("Page.captureScreenshot", { format: "png" });
      return Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
    },
  };
}

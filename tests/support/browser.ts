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

const NAMES = ["chromium", "chromium-browser", "google-chrome", "chrome"];

function launch(profile: string): Deno.ChildProcess {
  for (const name of [Deno.env.get("CHROMIUM") ?? [], NAMES].flat()) {
    try {
      return new Deno.Command(name, {
        args: [
          "--headless=new",
          // As root, and in containers without user namespaces, it has no sandbox of its own.
          "--no-sandbox",
          "--disable-gpu",
          "--disable-dev-shm-usage",
          "--no-first-run",
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
  throw new Error("Chromium is not installed: `apt-get install chromium`, or set CHROMIUM.");
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

interface Socket {
  // deno-lint-ignore no-explicit-any -- the protocol has some hundred answers
  send(method: string, params?: Params, sessionId?: string): Promise<any>;
  onEvent(listener: (method: string, params: Params, sessionId?: string) => void): void;
  close(): void;
}

async function connect(address: string): Promise<Socket> {
  const socket = new WebSocket(address);
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error(`Cannot connect to ${address}`));
  });
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
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
      const answer = Promise.withResolvers<unknown>();
      waiting.set(id, answer);
      socket.send(JSON.stringify({ id, method, params, ...(sessionId && { sessionId }) }));
      return answer.promise;
    },
    onEvent: (listener) => void listeners.push(listener),
    close: () => socket.close(),
  };
}

async function openPage(
  socket: Socket,
  size: { width: number; height: number },
): Promise<Page> {
  const { targetId } = await socket.send("Target.createTarget", { url: "about:blank" });
  const { sessionId } = await socket.send("Target.attachToTarget", { targetId, flatten: true });
  const send = (method: string, params?: Params) => socket.send(method, params, sessionId);
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
    return result.value;
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
      const found = await evaluate<{ x: number; y: number } | null>(`(() => {
        const element = [...document.querySelectorAll(${JSON.stringify(selector)})]
          .findLast((one) => one.textContent.includes(${JSON.stringify(text)}));
        if (!element) return null;
        element.scrollIntoView({ block: "center", behavior: "instant" });
        const { left, top, width, height } = element.getBoundingClientRect();
        return { x: left + width / 2, y: top + height / 2 };
      })()`);
      if (found === null) throw new Error(`Nothing to click: ${selector} with "${text}"`);
      const button = { ...found, button: "left", clickCount: 1 };
      await send("Input.dispatchMouseEvent", { type: "mousePressed", ...button });
      await send("Input.dispatchMouseEvent", { type: "mouseReleased", ...button });
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

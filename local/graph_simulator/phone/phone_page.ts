import { Hono } from "hono";

const PAGE = new URL("./page/", import.meta.url);

const types: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
};

/** Nothing from elsewhere but pictures that a message links to. */
const POLICY = "default-src 'self'; img-src * data: blob:; media-src *; object-src 'none'";

/** The customer's phone as a page: files of the folder `page`, read anew at each request. */
export function createPhonePage(): Hono {
  const page = new Hono();
  page.get("/", () => file("index.html"));
  page.get("/phone/:customer", () => file("index.html"));
  page.get("/_phone/page/:name{[a-z_]+\\.(css|js|svg)}", (c) => file(c.req.param("name")));
  return page;
}

async function file(name: string): Promise<Response> {
  const bytes = await Deno.readFile(new URL(name, PAGE));
  const type = types[name.split(".").at(-1) ?? ""] ?? "application/octet-stream";
  return new Response(bytes, {
    headers: {
      "content-type": type,
      "content-security-policy": POLICY,
      "cache-control": "no-cache",
    },
  });
}

import { Hono } from "hono";
import type { Context } from "hono";
import { problem } from "./problem.ts";
import type { ServeContext } from "./serve.ts";

type Env = { Bindings: ServeContext };
export type Router = Hono<Env>;
export type Route = (context: Context<Env>) => Response | Promise<Response>;
type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** Routes below /<function>, the path that a function sees behind the platform's gateway. */
export function createRouter(functionName: string): Router {
  const router = new Hono<Env>({ strict: false }).basePath(`/${functionName}`);
  router.notFound(() => problem(404, "not_found", "Nothing is at this address."));
  // What is thrown belongs to serve(), the one catch of last resort.
  router.onError((error) => {
    throw error;
  });
  return router;
}

/** Adds an address with all its methods; any other method gets 405 and the list of these. */
export function route(
  router: Router,
  path: string,
  methods: Partial<Record<Method, Route>>,
): void {
  for (const [method, answer] of Object.entries(methods)) router.on(method, path, answer);
  const allow = Object.keys(methods).join(", ");
  router.all(path, () =>
    problem(405, "method_not_allowed", `This address takes ${allow}.`, {
      headers: { allow },
    }));
}

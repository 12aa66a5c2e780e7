import { dirname, join } from "node:path";

import { platformError } from "./gateway/proxy.ts";

export interface StorageOptions {
  /** Where the files are; made when the first one comes. */
  dir: string;
  secretKey: string;
}

/** supabase-js's other side for /storage/v1. */
export interface Storage {
  fetch(request: Request): Promise<Response>;
}

/** Names that Storage takes and that lead nowhere else in a folder. */
const OBJECT = /^\/storage\/v1\/object\/([\w-]+(?:\/[\w-][\w.-]*)+)$/;

/**
 * Stands in for Supabase Storage: writes, reads and deletes single objects as files of a folder, for the
 * holder of the secret key. Left out are buckets (each name is one, and private), policies and who is
 * not the secret key, listing, moving, signed and public addresses, resumable and multipart uploads,
 * ranges, image transformations, size limits and the tables of schema storage.
 */
export function createStorage({ dir, secretKey }: StorageOptions): Storage {
  return {
    async fetch(request) {
      if (request.headers.get("apikey") !== secretKey) {
        await request.body?.cancel();
        return refusal(403, "Unauthorized", "Only the secret key may use this Storage");
      }
      const [, name] = OBJECT.exec(new URL(request.url).pathname) ?? [];
      if (name === undefined) return platformError(404, "NOT_FOUND", "No route matches this path");
      const path = join(dir, name);
      switch (request.method) {
        case "GET":
          return await read(path);
        case "POST":
          return await write(path, name, request);
        case "DELETE":
          return await remove(path);
        default:
          return platformError(
            405,
            "METHOD_NOT_ALLOWED",
            "This Storage takes GET, POST and DELETE",
          );
      }
    },
  };
}

async function read(path: string): Promise<Response> {
  try {
    const type = await Deno.readTextFile(typeOf(path));
    const file = await Deno.open(path);
    const { size } = await file.stat();
    return new Response(file.readable, {
      headers: { "content-type": type, "content-length": String(size) },
    });
  } catch (error) {
    return answerMissing(error);
  }
}

async function write(path: string, name: string, request: Request): Promise<Response> {
  const mayReplace = request.headers.get("x-upsert") === "true";
  if (!mayReplace && await Deno.stat(path).then(() => true, () => false)) {
    await request.body?.cancel();
    return refusal(409, "Duplicate", "The resource already exists");
  }
  await Deno.mkdir(dirname(path), { recursive: true });
  // Whole or not at all: an upload that breaks off leaves what was there.
  const coming = `${path}~${crypto.randomUUID()}`;
  try {
    await Deno.writeFile(coming, request.body ?? new Uint8Array());
    await Deno.writeTextFile(
      typeOf(path),
      request.headers.get("content-type") ?? "application/octet-stream",
    );
    await Deno.rename(coming, path);
  } catch (error) {
    await Deno.remove(coming).catch(() => {});
    throw error;
  }
  return Response.json({ Key: name });
}

async function remove(path: string): Promise<Response> {
  try {
    await Deno.remove(path);
    await Deno.remove(typeOf(path));
    return Response.json({ message: "Successfully deleted" });
  } catch (error) {
    return answerMissing(error);
  }
}

// No name of an object ends so.
function typeOf(path: string): string {
  return `${path}~type`;
}

function answerMissing(error: unknown): Response {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
  return refusal(404, "not_found", "Object not found");
}

// As hosted: the status is 400, and the body names the one that is meant.
function refusal(statusCode: number, error: string, message: string): Response {
  return Response.json({ statusCode: String(statusCode), error, message }, { status: 400 });
}

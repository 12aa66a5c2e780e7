/** The ports that one platform takes, by what listens there. */
export function portsFrom(first: number): Record<PortName, number> {
  return { API: first, database: first + 1, console: first + 2, simulator: first + 3 };
}

export type PortName = "API" | "database" | "console" | "simulator";

/** Throws a sentence that says what to do when something listens on one of these ports. */
export function refuseTakenPorts(ports: Record<string, number>): void {
  for (const [name, port] of Object.entries(ports)) {
    const state = tryPort(port);
    if (state === "free") continue;
    const reason = state === "taken" ? "is taken" : "needs rights that this user lacks";
    throw new Error(
      `Port ${port} (${name}) ${reason}: choose four others with --port${
        state === "taken" ? ", or stop what listens there" : ""
      }.`,
    );
  }
}

function tryPort(port: number): "free" | "taken" | "forbidden" {
  try {
    Deno.listen({ hostname: "127.0.0.1", port }).close();
    return "free";
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return "taken";
    if (error instanceof Deno.errors.PermissionDenied) return "forbidden";
    throw error;
  }
}

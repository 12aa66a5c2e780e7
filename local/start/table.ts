import { DEMO_CUSTOMER, DEMO_SENDER } from "./demo.ts";
import type { Platform } from "./platform.ts";
import { phoneUrl } from "./platform.ts";
import type { Screen } from "./screen.ts";

/** Where everything is, by name. */
function addressTable(platform: Platform, dir: string): [name: string, where: string][] {
  const { addresses } = platform;
  return [
    ["API", addresses.apiUrl],
    ["Functions", `${addresses.apiUrl}/functions/v1/<name>`],
    ["Database", addresses.databaseUrl],
    ["Console", addresses.consoleUrl],
    ["Phone", `${phoneUrl(addresses)} (the demo customer)`],
    ["Graph API", addresses.graphUrl],
    ["Upstash REST", `${addresses.upstashUrl} (${platform.redis})`],
    ["Keys", `${dir}/env`],
    ["Logs", `${dir}/logs`],
  ];
}

/** A command for a POSIX shell, which needs nothing but curl. */
export interface TryCommand {
  about: string;
  command: string;
}

// Answers end without a line feed, and the prompt would follow on their line.
const ENDED = `-w '\\n'`;

/** Three commands to begin with. Each stands alone, from any folder and in any order. */
function commandsToTry(platform: Platform, dir: string): TryCommand[] {
  const environment = `. ${quote(`${dir}/env`)}`;
  if (!platform.demo) return commandsWithoutDemo(environment);
  const call = `curl -sS "$SUPABASE_URL/functions/v1/wa-messages`;
  const asDemo = `-H "Authorization: Bearer $SWITCHYARD_DEMO_API_KEY"`;
  const message = {
    from: DEMO_SENDER.phone_number_id,
    to: `+${DEMO_CUSTOMER}`,
    type: "text",
    text: { body: "Hello from Switchyard" },
  };
  const newest =
    `$(${call}?limit=1" ${asDemo} | grep -o '"id":"[^"]*"' | head -n 1 | cut -d'"' -f4)`;
  return [{
    about: "Send a message as the demo tenant",
    command: `${environment}; ${call}" ${asDemo} -H "Idempotency-Key: hello-$(date +%s)" ` +
      `-H "Content-Type: application/json" -d ${quote(JSON.stringify(message))} ${ENDED}`,
  }, {
    about: "Read it back, with all that happened to it",
    command: `${environment}; ${call}/${newest}" ${asDemo} ${ENDED}`,
  }, customerCommand(environment)];
}

function customerCommand(environment: string): TryCommand {
  const message = { type: "text", text: { body: "Hello back" } };
  const chat = `$SIMULATOR_URL/_phone/${DEMO_CUSTOMER}/${DEMO_SENDER.phone_number_id}/messages`;
  return {
    about: "Answer as the customer, as the page of the phone does",
    command: `${environment}; curl -sS "${chat}" -H "Content-Type: application/json" ` +
      `-d ${quote(JSON.stringify(message))} ${ENDED}`,
  };
}

function commandsWithoutDemo(environment: string): TryCommand[] {
  const asOperator = `-H "apikey: $SUPABASE_SECRET_KEY"`;
  return [{
    about: "Make a tenant",
    command: `${environment}; curl -sS "$SUPABASE_URL/functions/v1/admin/tenants" ${asOperator} ` +
      `-H "Content-Type: application/json" -d '{"slug":"first","name":"First"}' ${ENDED}`,
  }, {
    about: "See what was changed, and by whom",
    command:
      `${environment}; curl -sS "$SUPABASE_URL/functions/v1/admin/audit" ${asOperator} ${ENDED}`,
  }, healthCommand(environment)];
}

function healthCommand(environment: string): TryCommand {
  return {
    about: "Look at the health of every part",
    command: `${environment}; curl -sS "$SUPABASE_URL/functions/v1/health/detailed" ` +
      `-H "apikey: $SUPABASE_SECRET_KEY" ${ENDED}`,
  };
}

function quote(text: string): string {
  return /^[\w/.:-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Shows both, ready to be pasted. */
export function showTable(screen: Screen, platform: Platform, dir: string): void {
  screen.line();
  for (const [name, where] of addressTable(platform, dir)) {
    screen.line(`  ${screen.bold(name.padEnd(14))} ${where}`);
  }
  commandsToTry(platform, dir).forEach(({ about, command }, index) => {
    screen.line();
    screen.line(`  ${screen.dim(`${index + 1}. ${about}:`)}`);
    screen.line(command);
  });
  screen.line();
}
